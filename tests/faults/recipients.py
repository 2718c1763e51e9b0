"""Notifiers that do what a script says, talk much about the URL on the way, and remember what arrived when."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from airflow_sagemaker_presign.compat import BaseNotifier
from tests.faults.virtual_time import VirtualTime

chatter = logging.getLogger("somebodys.client")


@dataclass(frozen=True)
class Send:
    """
    What becomes of one send.

    :param takes: seconds.
    :param arrives: whether the message gets to its recipient, at the end of these.
    :param error: what the notifier raises then; ``None``: nothing.
    """

    takes: float = 0.0
    arrives: bool = True
    error: type[Exception] | None = None


class Arrival(NamedTuple):
    """A link that was delivered."""

    at: float
    to: str
    url: str


FOR_EVER = 1e9


class Inbox:
    """The links that arrived, and for whom."""

    def __init__(self, time: VirtualTime) -> None:
        self.time = time
        self.arrivals: list[Arrival] = []


class Recipient(BaseNotifier):
    """
    A notifier to one person.

    :param to: the person.
    :param inbox: where what arrives is kept.
    :param sends: what becomes of each send; of all that follow: they arrive at once.
    """

    template_fields = ("to", "text")

    def __init__(self, to: str, inbox: Inbox, sends: Sequence[Send] = ()) -> None:
        super().__init__()
        self.to = to
        self.inbox = inbox
        self.sends = [*sends]
        self.text = "Your notebook: {{ presigned_url.url }}"

    def notify(self, context: Any) -> None:
        send = self.sends.pop(0) if self.sends else Send()
        url = context["presigned_url"].url
        chatter.debug("POST %s", self.text)
        self.log.info("sending %s", self.text)
        print("sending", self.text)
        self.inbox.time.sleep(send.takes)
        if send.arrives:
            self.inbox.arrivals.append(Arrival(self.inbox.time.seconds, self.to, url))
        if send.error is not None:
            try:
                raise send.error(f"{self.to} did not get {url}")
            except send.error:
                chatter.exception("no luck with %s", url)
                raise
