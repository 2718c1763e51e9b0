from __future__ import annotations

import pytest

from airflow_sagemaker_presign.compat import HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.launch_page import templating
from tests.helpers.html_tags import ATTACK, Tags

if not HAS_LAUNCH_PAGE:
    pytest.skip("there is no launch page before Airflow 3.1.1", allow_module_level=True)

from fastapi.responses import Response

from airflow_sagemaker_presign.launch_page.app import redirect_by_page

URL = "https://research.notebook.eu-west-1.sagemaker.aws?authToken=a%2Bb%3D&view=lab"


def to(location: str, status: int = 303) -> Response:
    return Response(status_code=status, headers={"Location": location})


def test_the_form_of_the_page_is_led_on_by_a_page_however_long_the_url() -> None:
    url = URL + "&x=" + "y" * 8000
    answer = redirect_by_page(to(url), templating.REDIRECT_BY_PAGE, "")
    assert answer.status_code == 200
    assert len(str(answer.headers)) < 1000
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    tags = Tags(bytes(answer.body).decode())
    assert ("content", f"0; url={url}") in tags.attributes
    assert ("href", url) in tags.attributes


@pytest.mark.parametrize("query", ["", "by=pages", "x=by=page"])
def test_all_others_are_led_on_by_a_location(query: str) -> None:
    answer = to(URL)
    assert redirect_by_page(answer, query, "") is answer


@pytest.mark.parametrize("location", ["/sagemaker-notebooks/a/b/c", "", "javascript://x/%0aalert(1)"])
def test_a_redirect_to_another_location_is_unchanged(location: str) -> None:
    answer = to(location)
    assert redirect_by_page(answer, templating.REDIRECT_BY_PAGE, "") is answer


def test_a_url_is_text_to_the_page_that_leads_on() -> None:
    usual, attacked = (
        bytes(redirect_by_page(to(url), templating.REDIRECT_BY_PAGE, "").body).decode() for url in (URL, URL + ATTACK)
    )
    assert Tags(attacked).tags == Tags(usual).tags
