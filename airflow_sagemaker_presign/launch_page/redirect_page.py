"""The HTML page that redirects to the notebook."""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse, Response

from airflow_sagemaker_presign.launch_page import templating


def redirect_by_page(answer: Response, query: str, prefix: str) -> Response:
    """
    Redirect to the notebook by an HTML page instead of ``Location``, if the page's form requests it.

    SageMaker's URLs have up to 4,000 characters, and a proxy may allow no more for all headers of a response: nginx,
    with its defaults, returns 502. The browser treats both redirects alike: it stores neither page nor URL, sends no
    referrer, and *Back* returns to the page with the button.

    :param answer: the response to a submitted form.
    :param query: the request's query.
    :param prefix: the path of Airflow's base URL, without a trailing slash.
    """
    location = answer.headers.get("Location", "")
    if templating.REDIRECT_BY_PAGE not in query.split("&") or urlsplit(location).scheme not in ("http", "https"):
        return answer
    return HTMLResponse(
        templating.write("redirect.html", url=location, prefix=prefix, current_user=""),
        headers=templating.security_headers(),
    )
