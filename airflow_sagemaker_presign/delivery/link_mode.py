"""What a message links to: the presigned URL, the launch page, or both; no credential with ``"launch_page"``."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from airflow_sagemaker_presign import compat
from airflow_sagemaker_presign.deprecation import OLD_KEYS, warn
from airflow_sagemaker_presign.links import launch_url
from airflow_sagemaker_presign.validation import one_of, reject

LinkMode = Literal["presigned", "launch_page", "both"]

NO_PRESIGNED_URL = "this task has link='launch_page', so there is no presigned_url; use {{ launch_url }} or link='both'"
NO_PRESIGNED_URL_IN_WARNING = "a warning has no presigned_url; use {{ stop_warning.stops_at }} and {{ launch_url }}"

log = logging.getLogger(__name__)


def link_mode_of(value: object) -> LinkMode:
    """
    Check the operator's ``link``.

    :raises ValueError: if it is not a link mode, or is ``"launch_page"`` on an Airflow without a launch page, where a
        message without a credential would have no link at all.
    """
    if value == "door":
        warn("link='door'", "link='launch_page'")
        value = "launch_page"
    if one_of("link", value, ("presigned", "launch_page", "both")) == "launch_page" and not compat.HAS_LAUNCH_PAGE:
        reject("link", value, "'presigned' or 'both' on this Airflow; the launch page needs Airflow 3.1.1 or newer")
    return cast("LinkMode", value)


def reject_presigned_url_in_templates(notifiers: Sequence[Any], why: str = NO_PRESIGNED_URL) -> None:
    """
    Raise a ``ValueError`` that names the field if a notifier's template uses a presigned URL, which there will not be.

    A template in a file and a notifier's own code cannot be checked here; they fail when they are sent.

    :param why: why there will be none; for the stop operator, :data:`NO_PRESIGNED_URL_IN_WARNING`.
    """
    for parameter, text in _templates(notifiers):
        if _uses(text, "presigned_url", after_a_check=False):
            reject(parameter, text, f"without presigned_url: {why}")


def warn_of_old_names_in_templates(notifiers: Sequence[Any]) -> None:
    """Warn of old names in the notifiers' templates, as far as they can be seen when the DAG is parsed."""
    for parameter, text in _templates(notifiers):
        for old, new in OLD_KEYS.items():
            if _uses(text, old, after_a_check=True):
                warn(f"{{{{ {old} }}}} in {parameter}", f"{{{{ {new} }}}}")


def launch_url_for(link: LinkMode, ti: Any) -> str:
    """
    Return the launch URL for a task instance's messages; empty if there is none, or the messages do not link to it.

    :raises ValueError: for ``"launch_page"`` if there is no launch URL, so that no credential is sent instead.
    """
    if link == "presigned":
        return ""
    url = launch_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    if url is None and link == "launch_page":
        reject(
            "link",
            link,
            "'presigned' or 'both' unless [api] base_url is set where the tasks run",
        )
    if url is None:
        _log_missing_launch_page()
    return url or ""


@functools.cache
def _log_missing_launch_page() -> None:
    """Log it once per process, not for every task."""
    lacks = "[api] base_url set where the tasks run" if compat.HAS_LAUNCH_PAGE else "Airflow 3.1.1 or newer"
    log.info("The message has only the presigned URL: a launch page needs %s.", lacks)


def _templates(notifiers: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Yield the texts in the notifiers' template fields, each with a name for messages."""
    for index, notifier in enumerate(notifiers):
        for field in notifier.template_fields:
            for text in texts_of(getattr(notifier, field, None)):
                yield f"notifiers[{index}].{field}", text


def texts_of(value: object) -> Iterator[str]:
    """Yield the texts in a template field's value, which may be nested in lists and dicts."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_of(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from texts_of(item)


def _uses(text: str, name: str, *, after_a_check: bool) -> bool:
    """
    Return whether a template uses a variable.

    :param after_a_check: whether a use counts in a template that checks if the variable is defined.
    """
    # Most texts do not contain the name, so they need not be parsed.
    if name not in text:
        return False
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        # Not with `meta.find_undeclared_variables`, which raises for filters that only Airflow has.
        template = Environment(autoescape=True).parse(text)
    except TemplateSyntaxError:
        return False
    checks = any(
        test.name == "defined" and isinstance(test.node, nodes.Name) and test.node.name == name
        for test in template.find_all(nodes.Test)
    )
    return (after_a_check or not checks) and any(node.name == name for node in template.find_all(nodes.Name))
