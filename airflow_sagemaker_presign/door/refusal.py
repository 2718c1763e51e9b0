"""What the door says instead of opening."""

from __future__ import annotations


class Refusal(Exception):
    """
    An answer other than the page.

    :param status: the HTTP status.
    :param title: what happened, as a headline.
    :param words: why, and what to do next.
    :param retry_after: seconds after which the same request may work.
    """

    def __init__(self, status: int, title: str, words: str, retry_after: int | None = None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.words = words
        self.retry_after = retry_after
