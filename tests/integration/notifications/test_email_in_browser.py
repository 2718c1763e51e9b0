"""The mails as a browser shows them: on a phone and a desktop, light and dark, and with the styles stripped."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_sagemaker_presign.exceptions import NotebookInstanceFailed
from airflow_sagemaker_presign.notifications.email_message import render
from airflow_sagemaker_presign.notifications.failure_message import failure_message
from airflow_sagemaker_presign.notifications.link_message import link_message
from airflow_sagemaker_presign.notifications.stop_warning_message import stop_warning_message
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance
from tests.helpers.minted_urls import minted_url

pytestmark = pytest.mark.browser

BRIGHTNESS = "e => getComputedStyle(e).{}.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0) / 3"


@pytest.fixture
def mails(
    link_context: dict[str, Any], failure_context: dict[str, Any], stop_context: dict[str, Any]
) -> dict[str, str]:
    note = "Model: s3://models/churn/2026-03-04/output/model.tar.gz" + "x" * 100
    failure_context["run_id"] = "scheduled__" + "2026-03-04T08:30:00+01:00" * 5
    both = {
        **link_context,
        "launch_url": f"https://airflow.example.com/sagemaker-notebooks/{'x' * 2900}",
        "launch_page_valid_for": timedelta(days=7),
        "session_expiration_duration": timedelta(hours=8),
    }
    return {
        "link": render(link_message(link_context, note=note, zone=UTC))[1],
        "both": render(link_message(both, note=note, zone=UTC))[1],
        "launch_page": render(link_message({**both, "presigned_url": None}, note=note, zone=UTC))[1],
        "stop_warning": render(stop_warning_message(stop_context, note=note, zone=UTC, now=datetime.now(UTC)))[1],
        "failure": render(failure_message({**failure_context, "exception": RuntimeError("y" * 200)}))[1],
    }


@pytest.fixture
def long_words(
    link_context: dict[str, Any], failure_context: dict[str, Any], stop_context: dict[str, Any]
) -> dict[str, str]:
    """A name of 63 letters, a long URL in the note, and an error without a space."""
    name = "n" * 63
    link_context["notebook_instance"] |= {"NotebookInstanceName": name}
    url = link_context["presigned_url"]
    link_context["presigned_url"] = minted_url(
        url.url, url.minted_at, name=name, session=url.session_expiration_duration
    )
    note = f"https://mlflow.example.com/{'x' * 900}\n{'y' * 300}\nمرحبا"
    launch_page = {
        "launch_url": f"https://airflow.example.com/sagemaker-notebooks/{'x' * 2900}",
        "launch_page_valid_for": timedelta(days=7),
        "session_expiration_duration": timedelta(hours=8),
    }
    failure_context["run_id"] = "r" * 250
    failure_context["task"].notebook_instance_name = name
    in_use = replace(stop_context["stop_warning"], at_latest=True, running="k" * 400)
    error = NotebookInstanceFailed(name, "p" * 200, "a" * 200)
    return {
        "link": render(link_message(link_context, note=note, zone=UTC))[1],
        "both": render(link_message({**link_context, **launch_page}, note=note, zone=UTC))[1],
        "launch_page": render(
            link_message({**link_context, **launch_page, "presigned_url": None}, note=note, zone=UTC)
        )[1],
        "stop_warning": render(
            stop_warning_message(
                {**stop_context, "stop_warning": in_use, "run_id": "r" * 250, "workspace": NotebookInstance(name)},
                note=note,
                zone=UTC,
                now=datetime.now(UTC),
            )
        )[1],
        "failure": render(failure_message({**failure_context, "exception": error}))[1],
    }


@pytest.mark.parametrize("kind", ["link", "both", "launch_page", "stop_warning", "failure"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 375, 900])
def test_a_mail_fits_and_can_be_read(browser: Any, mails: dict[str, str], kind: str, scheme: str, width: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": 600}, color_scheme=scheme)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content(mails[kind])

    assert page.evaluate("document.documentElement.scrollWidth") == width
    card = page.locator(".card").evaluate(BRIGHTNESS.format("backgroundColor"))
    texts = page.locator(".text, .quiet").evaluate_all(f"all => all.map({BRIGHTNESS.format('color')})")
    assert (card > 200) == (scheme == "light")
    assert min(abs(card - text) for text in texts) > 100
    assert asked == []
    page.close()


@pytest.mark.parametrize("kind", ["link", "both", "launch_page", "stop_warning", "failure"])
@pytest.mark.parametrize("width", [320, 360])
def test_a_mail_fits_a_phone_where_overflow_wrap_is_stripped_as_gmail_and_outlook_do(
    browser: Any, long_words: dict[str, str], kind: str, width: int
) -> None:
    stripped = long_words[kind].replace("overflow-wrap:anywhere;", "")
    assert "overflow-wrap" not in stripped
    page = browser.new_page(viewport={"width": width, "height": 600})
    page.set_content(stripped)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.close()


@pytest.mark.parametrize("kind", ["link", "both", "launch_page"])
def test_the_button_is_as_wide_as_a_phone_and_as_high_as_a_thumb(
    browser: Any, mails: dict[str, str], kind: str
) -> None:
    page = browser.new_page(viewport={"width": 375, "height": 600})
    page.set_content(mails[kind])
    box = page.get_by_role("link", name="Open the notebook", exact=True).bounding_box()
    assert box["width"] > 300
    assert box["height"] >= 44
    assert box["y"] + box["height"] < 600, "it is in sight without scrolling"
    page.close()


def test_without_styles_the_link_is_still_there(
    browser: Any, mails: dict[str, str], link_context: dict[str, Any]
) -> None:
    bare = re.sub(r'\s(?:style|class|bgcolor)="[^"]*"|<style>.*?</style>', "", mails["link"], flags=re.DOTALL)
    page = browser.new_page(viewport={"width": 375, "height": 600})
    page.set_content(bare)
    link = page.get_by_role("link", name="Open the notebook", exact=True)
    assert link.is_visible()
    assert link.get_attribute("href") == link_context["presigned_url"].url
    page.close()
