"""The launch page's errors, without a web framework: Airflow 2 has none that the page could use."""

from __future__ import annotations


class HttpError(Exception):
    """
    An error response.

    :param words: the reason, and what to do next.
    :param retry_after: seconds after which the same request may work.
    """

    def __init__(self, status: int, title: str, words: str, retry_after: int | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.words = words
        self.retry_after = retry_after


def gone(why: str, advice: str = "Ask the sender for a new one: running the DAG again sends it.") -> HttpError:
    """Return the error for a link that no longer opens anything."""
    return HttpError(410, "This link has expired", f"{why} {advice}")
