"""Use the launch page as a signed-in user would: load the page, submit its form."""

from __future__ import annotations

import re
from html import unescape

import httpx

from airflow_sagemaker_presign.local.demo.link_check import LinkCheckError, open_jupyterlab

_STATUS = re.compile(r'<dd id="status-word"[^>]*>([^<]*)<')
_TOKEN = re.compile(r'name="token" value="([^"]*)"')


def check_launch_page(launch_url: str, airflow_token: str, requests_url: str) -> None:
    """
    Open a notebook that is InService through its launch page.

    :param launch_url: the launch page.
    :param airflow_token: a user's token, from Airflow's ``/auth/token``; a browser has it as a cookie.
    :param requests_url: the local SageMaker's record of requests.
    :raises LinkCheckError: when it is a different page, mints on a GET, or does not open
        JupyterLab.
    """
    # Without "from": an exception of the HTTP client may have a presigned URL in it.
    try:
        minted = _minted(requests_url)
        with httpx.Client(cookies={"_token": airflow_token}, timeout=30, trust_env=False) as browser:
            page = browser.get(launch_url)
            form_token = _form_token(page)
            if _minted(requests_url) != minted:
                raise LinkCheckError("The launch page minted a URL on a GET request.")
            click = {"action": "open", "token": form_token}
            response = browser.post(launch_url, data=click, headers={"Sec-Fetch-Site": "same-origin"})
        newly_minted = _minted(requests_url) - minted
    except httpx.HTTPError as error:
        raise LinkCheckError(f"The launch page does not respond: {type(error).__name__}.") from None
    location = response.headers.get("Location", "")
    if response.status_code != 303 or "authToken" not in location:
        raise LinkCheckError(f"The launch page's button returned {response.status_code}, without a link to a notebook.")
    if newly_minted != 1:
        raise LinkCheckError(f"One press of the launch page's button minted {newly_minted} URLs.")
    open_jupyterlab(location, "launch page's link")


def _form_token(page: httpx.Response) -> str:
    if page.status_code != 200:
        raise LinkCheckError(f"The launch page returned {page.status_code}.")
    status, token = _STATUS.search(page.text), _TOKEN.search(page.text)
    if status is None or token is None:
        raise LinkCheckError("The launch page is not the page of a notebook.")
    if status[1] != "InService":
        raise LinkCheckError(f"The launch page shows {status[1]}, but the notebook is InService.")
    return unescape(token[1])


def _minted(requests_url: str) -> int:
    requests = httpx.get(requests_url, trust_env=False).raise_for_status().json()
    return sum(request["operation"] == "CreatePresignedNotebookInstanceUrl" for request in requests)
