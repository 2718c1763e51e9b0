"""The form of the launch page, as it arrives: small, and of the one kind that the page sends."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

from airflow_sagemaker_presign.launch_page.http_errors import HttpError

TYPE = "application/x-www-form-urlencoded"
MAX_BYTES = 8192
"""A token has about a kilobyte when all ids are as long as Airflow takes them, and names beyond ASCII are quoted."""

_GO_BACK = "Go back to the notebook and press its button."


async def read(request: Request) -> dict[str, str]:
    """
    Read the form. No more of it comes into memory than one may have, and nothing onto the disk.

    :param request: of a person who is known by now.
    :raises HttpError: 413 when there is more, 415 when it is something else, 400 when it cannot be read.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != TYPE:
        raise HttpError(415, "Not this way", f"The page sends its form as {TYPE}. {_GO_BACK}")
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
    return HttpError(413, "That is too much", f"The page sends a few hundred bytes. {_GO_BACK}")
