"""
Make the documentation's pictures, in ``.readme``: ``python -m tests.pictures``.

Somebody logs in to a real Airflow, asks for a notebook in the form of the DAG ``notebook_on_demand``, and gets the
messages; the pictures show what that person sees, at the launch page, too.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers import chromium
from tests.pictures import launch_page
from tests.pictures.browser import keep, page_of, shot, side_by_side

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHECKOUT = Path(__file__).parents[2]
TARGET = CHECKOUT / ".readme"
DAG_ID = "notebook_on_demand"
LINK = re.compile("^(▶ )?Open the notebook$")
"""A button; on Slack a link with a sign before it, where the URL is too long for a button, as AWS's often are."""


def main() -> None:
    if chromium.installed() is None:
        raise SystemExit("The pictures are made with Chromium, and there is none on this machine: install chromium.")
    TARGET.mkdir(exist_ok=True)
    with chromium.launched() as browser, tempfile.TemporaryDirectory() as folder:
        dags = Path(folder) / "dags"
        dags.mkdir()
        shutil.copy(CHECKOUT / "dags" / f"{DAG_ID}.py", dags)
        with (
            LocalServices(jupyter=False) as local,
            AirflowStandalone(
                Path(folder) / "airflow",
                dags=dags,
                env=airflow_connections(local.addresses()),
                users={launch_page.PERSON: "user"},
            ) as airflow,
        ):
            airflow.wait_for_dag(DAG_ID)
            keep(browser, ask_in_the_form(browser, airflow), TARGET / "form.png")
            local.inbox.wait_for(2, timeout=120)
            keep(browser, card(browser, local, "slack", width=768), TARGET / "slack.png")
            desktop, phone = card(browser, local, "mail"), card(browser, local, "mail", width=375, dark=True)
            keep(browser, side_by_side(browser, [desktop, phone]), TARGET / "mail.png")
            launch_page.keep_pictures(browser, local, airflow, TARGET)


def ask_in_the_form(browser: Browser, airflow: AirflowStandalone) -> bytes:
    """Ask for a session of 13 hours, which is refused: that is the picture. Then for one of 8."""
    with page_of(browser, width=810, height=1130) as page:
        page.goto(f"{airflow.url}/dags/{DAG_ID}")
        page.locator("input[name=username]").fill(airflow.username)
        page.locator("input[name=password]").fill(airflow.password)
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Trigger").click()
        _trigger(page, hours="13")
        page.get_by_text("13 is greater than the maximum of 12").wait_for()
        # A note at the bottom says the same once more, and goes by itself unless the mouse is on it.
        page.mouse.move(0, 0)
        page.get_by_text("Failed to Trigger Dag").wait_for(state="hidden")
        picture = shot(page)
        _trigger(page, hours="8")
        page.get_by_text("Dag Run Triggered").first.wait_for()
    return picture


def _trigger(page: Page, hours: str) -> None:
    form = page.get_by_role("dialog").filter(has_text=DAG_ID)
    field = form.get_by_role("spinbutton")
    field.fill("")
    field.press_sequentially(hours, delay=100)
    field.press("Tab")
    form.get_by_role("button", name="Trigger", exact=True).click()


def card(browser: Browser, local: LocalServices, kind: str, width: int = 600, dark: bool = False) -> bytes:
    """Take a picture of a message on the inbox page."""
    with page_of(browser, width=width, dark=dark) as page:
        page.goto(local.inbox_url)
        message = page.locator(f"article.{kind}")
        words = message.frame_locator("iframe") if kind == "mail" else message
        words.get_by_role("link", name=LINK).wait_for()
        return shot(message)


if __name__ == "__main__":
    main()
