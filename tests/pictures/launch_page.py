"""The launch page as the recipient sees it: in each state, on a desktop and on a phone, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.pictures.browser import keep, page_of, shot, side_by_side

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NOTEBOOK = "research"
PERSON = "ada@example.com"
READY, STOPPED, STARTING, FAILED = "Ready", "Stopped", "Starting", "The last start failed"
DESKTOP, PHONE = (640, 720), (375, 770)


def keep_pictures(browser: Browser, local: LocalServices, airflow: AirflowStandalone, target: Path) -> None:
    """
    Make the pictures of the launch page to which the newest mail leads.

    :param browser: takes the pictures.
    :param local: where the notebook is; InService.
    :param airflow: where the launch page is; it knows the person.
    :param target: the folder for the pictures.
    """
    (launch_url,) = set(re.findall(r"http://\S+/sagemaker-notebooks/\S+", local.inbox.mails[-1].text))
    reader = Reader(browser, airflow, launch_url)
    keep(browser, reader.at_the_task(), target / "task.png")
    ready, ready_on_phone = (
        reader.at_the_launch_page(READY, DESKTOP),
        reader.at_the_launch_page(READY, PHONE, dark=True),
    )
    local.sagemaker.set_status(NOTEBOOK, "Stopped")
    stopped = reader.at_the_launch_page(STOPPED, PHONE)
    local.sagemaker.faults.on_start(NOTEBOOK, "no-capacity")
    starting = reader.while_it_starts(then=FAILED)
    failed = reader.at_the_launch_page(FAILED, DESKTOP, dark=True)
    failed_on_phone = reader.at_the_launch_page(FAILED, PHONE, dark=True)
    keep(browser, side_by_side(browser, [ready, failed]), target / "launch_page.png")
    phones = [stopped, starting, ready_on_phone, failed_on_phone]
    keep(browser, side_by_side(browser, phones), target / "launch_page_on_a_phone.png")


class Reader:
    """
    Somebody who is signed in to Airflow.

    :param browser: takes the pictures.
    :param airflow: where the launch page is.
    :param launch_url: the launch page.
    """

    def __init__(self, browser: Browser, airflow: AirflowStandalone, launch_url: str) -> None:
        self.browser = browser
        self.airflow = airflow
        self.launch_url = launch_url

    def at_the_launch_page(self, headline: str, size: tuple[int, int], dark: bool = False) -> bytes:
        """Take a picture of the launch page."""
        with self._page(size, dark) as page:
            _see(page, headline)
            return shot(page)

    def while_it_starts(self, then: str) -> bytes:
        """Press the button, take the picture once the page has counted some seconds, and wait for the start."""
        with self._page(PHONE) as page:
            page.get_by_role("button", name="Start").click()
            _see(page, STARTING)
            page.locator("#elapsed", has_text=re.compile("^[4-9] s")).wait_for()
            picture = shot(page)
            _see(page, then)
        return picture

    def at_the_task(self) -> bytes:
        """Take a picture of the task in Airflow, where the button to the launch page is."""
        with self._page((1100, 420)) as page:
            page.get_by_role("link", name="The task in Airflow").click()
            page.get_by_role("link", name="Details", exact=True).click()
            page.get_by_role("link", name="Open notebook").wait_for()
            return shot(page)

    @contextmanager
    def _page(self, size: tuple[int, int], dark: bool = False) -> Iterator[Page]:
        with page_of(self.browser, *size, dark=dark) as page:
            cookie = {"name": "_token", "value": self.airflow.token(PERSON), "url": self.airflow.url}
            page.context.add_cookies([cookie])  # type: ignore[list-item]
            page.goto(self.launch_url)
            yield page


def _see(page: Page, headline: str) -> None:
    page.locator("#status .headline", has_text=headline).wait_for()
