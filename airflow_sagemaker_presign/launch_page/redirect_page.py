"""How a click leads to the notebook."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse, Response

from airflow_sagemaker_presign.launch_page import templating


def redirect_by_page(answer: Response, query: str, prefix: str) -> Response:
    """
    Have a page lead to the notebook instead of a ``Location``, where the page's own form asks for it.

    SageMaker's URLs have up to 4,000 characters, and a proxy may take no more than that for all headers of an answer:
    nginx, with its usual settings, makes a 502 of it. What the browser does with the page is the same: it keeps neither
    page nor URL, says nowhere where it came from, and *Back* leads to the page with the button.

    :param answer: to a click.
    :param query: the request's.
    :param prefix: the path of Airflow's base URL, without the last slash.
    """
    location = answer.headers.get("Location", "")
    if templating.REDIRECT_BY_PAGE not in query.split("&") or urlsplit(location).scheme not in ("http", "https"):
        return answer
    return HTMLResponse(
        templating.write("redirect.html", url=location, prefix=prefix, current_user=""),
        headers=templating.security_headers(),
    )
