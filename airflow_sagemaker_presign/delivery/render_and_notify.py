"""One send of any Airflow notifier: render its template fields, then send."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from airflow_sagemaker_presign.compat import is_async_only


def render_and_notify(notifier: Any, context: Any, *, render: Callable[[Any], None] | None = None) -> None:
    """
    Do what calling a notifier does, and raise its errors: on Airflow 2 the call itself only logs them.

    https://airflow.apache.org/docs/apache-airflow/stable/howto/notifications.html

    :param notifier: any ``BaseNotifier``, synchronous or asynchronous; rendering changes it for good.
    :param context: gets the notifier's fields, unrendered, as Airflow does it.
    :param render: renders the notifier's fields; default: its ``render_template_fields``.
    """
    context.update({name: getattr(notifier, name) for name in notifier.template_fields})
    (render or notifier.render_template_fields)(context)
    sent = (notifier.async_notify if is_async_only(notifier) else notifier.notify)(context)
    if inspect.iscoroutine(sent):
        asyncio.run(sent)
