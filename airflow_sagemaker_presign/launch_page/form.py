"""Read the submitted form of the launch page, with limits on its size and type."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from airflow_sagemaker_presign.launch_page.http_errors import HttpError

TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 8192
"""A token has about a kilobyte when all ids have Airflow's maximum length and non-ASCII names are quoted."""

_GO_BACK = "Go back to the notebook and use its button."


async def read(request: Request) -> dict[str, str]:
    """
    Return the fields of the form. The body is limited to ``MAX_BYTES`` in memory and never written to disk.

    :raises HttpError: 413 when the body is too large, 415 for another content type, 400 when it cannot be parsed.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != TYPE:
        raise HttpError(415, "Unsupported form", f"The page sends its form as {TYPE}. {_GO_BACK}")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BYTES:
        raise _too_much()
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                raise _too_much()
        return dict(parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=10))
    except (ValueError, ClientDisconnect):
        raise HttpError(400, "The form cannot be read", _GO_BACK) from None


def _too_much() -> HttpError:
    return HttpError(413, "The form is too large", f"The page sends a few hundred bytes. {_GO_BACK}")
