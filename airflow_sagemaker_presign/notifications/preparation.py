"""The checks of a ready-made notifier that run before the notebook instance is started."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Protocol

from airflow_sagemaker_presign.notifications.rendering import (
    TemplatedNotifier,
    environment_of,
    needs_running_notebook,
    rendered_field,
)
from airflow_sagemaker_presign.notifications.times import zone_of


class PreparableNotifier(TemplatedNotifier, Protocol):
    """A notifier that can check its recipient, its connection and its service."""

    timezone: Any

    def check_recipient(self) -> None:
        """Check that the rendered message would go to somebody."""

    def load_provider(self) -> None:
        """Import the provider, and check the connection."""

    def check_service(self) -> None:
        """Check what the service reveals without a message."""


def prepare(notifier: PreparableNotifier, context: Mapping[str, Any]) -> None:
    """
    Check everything that can be known without sending; see :meth:`NotebookUrlNotifier.prepare`.

    :param notifier: the notifier; it stays unchanged.
    :param context: Airflow's context, with what the operator knows before the notebook runs.
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


def _render(notifier: PreparableNotifier, ready: PreparableNotifier, name: str, context: Mapping[str, Any]) -> bool:
    """Render a field into the copy, and return whether that is possible before the notebook runs."""
    from airflow_sagemaker_presign.minting.redaction import redact

    written = getattr(notifier, name)
    try:
        environment = environment_of(notifier, context, native=name in notifier.native_fields)
        if needs_running_notebook(written, environment):
            return False
        setattr(ready, name, rendered_field(notifier, name, context))
    except Exception as error:
        reason = f"{type(error).__name__}: {redact(str(error))[:300]}".rstrip(".: ")
        raise ValueError(f"{name}={written!r} of {type(notifier).__name__} cannot be rendered: {reason}.") from error
    return True
