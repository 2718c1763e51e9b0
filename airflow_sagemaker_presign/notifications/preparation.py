"""What keeps a ready-made notifier from sending, found out before the notebook instance is started."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.notifications.rendering import environment_of, needs_running_notebook
from airflow_sagemaker_presign.notifications.times import zone_of

if TYPE_CHECKING:
    from airflow_sagemaker_presign.notifications.base import NotebookUrlNotifier


def prepare(notifier: NotebookUrlNotifier, context: Mapping[str, Any]) -> None:
    """
    Check all that can be known without sending; see :meth:`NotebookUrlNotifier.prepare`.

    :param notifier: stays as it is.
    :param context: Airflow's, with what the operator knows before the notebook runs.
    """
    ready = copy.copy(notifier)
    known = {**context, **{name: getattr(notifier, name) for name in notifier.template_fields}}
    later = {name for name in notifier.template_fields if not _render(notifier, ready, name, known)}
    if ready.timezone and "timezone" not in later:
        zone_of(ready.timezone)
    recipient_is_known = later.isdisjoint(notifier.recipient_fields)
    if recipient_is_known:
        ready.check_recipient()
    if not any(name.endswith("_conn_id") for name in later):
        ready.load_provider()
        if recipient_is_known:
            ready.check_service()


def _render(notifier: NotebookUrlNotifier, ready: NotebookUrlNotifier, name: str, context: Mapping[str, Any]) -> bool:
    """Render a field as far as it can be; answer whether it could."""
    from airflow_sagemaker_presign.minting.redaction import redact

    written = getattr(notifier, name)
    try:
        environment = environment_of(notifier, context, native=name in notifier.native_fields)
        if needs_running_notebook(written, environment):
            return False
        setattr(ready, name, notifier.rendered(name, context))
    except Exception as error:
        said = f"{type(error).__name__}: {redact(str(error))[:300]}".rstrip(".: ")
        raise ValueError(f"{name}={written!r} of {type(notifier).__name__} cannot be rendered: {said}.") from error
    return True
