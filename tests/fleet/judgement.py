"""Whether a run was as it has to be: pure, from what the account and the mailboxes saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from airflow_sagemaker_presign.minting.presigned_url import URL_VALIDITY

MIN_VALIDITY = 240.0
"""Seconds that the operator wants a link to have left on arrival, by default."""


@dataclass(frozen=True)
class Link:
    """
    A mail with a link, as its recipient found it.

    :param notebook: which notebook it opens; None when it opened none.
    :param minted_at: None likewise.
    """

    recipient: str
    run_id: str | None
    try_number: int | None
    arrived_at: float
    notebook: str | None
    minted_at: float | None

    @property
    def validity_left(self) -> float:
        """Seconds for which it still opened when it arrived."""
        if self.minted_at is None:
            return 0.0
        return self.minted_at + URL_VALIDITY.total_seconds() - self.arrived_at


@dataclass(frozen=True)
class Verdict:
    """
    What went wrong in a run; nothing, when all of it is empty.

    :param lost: recipients with no link to their notebook that arrived in its time.
    :param late: recipients of a link that had less than ``MIN_VALIDITY`` left.
    :param astray: recipients of a link that opens no notebook or another person's.
    :param twice: recipients with more than one link within a try.
    :param started_twice: notebooks that got a second Start although the first was under way or done.
    :param failed: tasks that Airflow does not call successful.
    """

    lost: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    astray: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    started_twice: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        return not any(getattr(self, field.name) for field in fields(self))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def judge(
    wanted: Mapping[str, str],
    links: Iterable[Link],
    requests: Iterable[Mapping[str, Any]],
    unsuccessful: Iterable[str] = (),
) -> Verdict:
    """
    Judge a run.

    :param wanted: by recipient, the notebook that their link has to open.
    :param links: all that arrived.
    :param requests: all that SageMaker was asked. No start of the fleet's fails, so no notebook needs a second one,
        not even one that SageMaker refuses.
    :param unsuccessful: tasks that did not end in success.
    """
    links = list(links)
    right = [link for link in links if link.notebook is not None and link.notebook == wanted.get(link.recipient)]
    in_time = {link.recipient for link in right if link.validity_left >= MIN_VALIDITY}
    each_try = Counter((link.recipient, link.run_id, link.try_number) for link in links)
    starts = Counter(request["notebook"] for request in requests if request["operation"] == "StartNotebookInstance")
    return Verdict(
        lost=_names(recipient for recipient in wanted if recipient not in in_time),
        late=_names(link.recipient for link in right if link.validity_left < MIN_VALIDITY),
        astray=_names(link.recipient for link in links if link not in right),
        twice=_names(recipient for (recipient, *_), count in each_try.items() if count > 1),
        started_twice=_names(notebook for notebook, count in starts.items() if count > 1),
        failed=_names(unsuccessful),
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
