"""What a message links to: the presigned URL, the launch page, or both; never a credential if the DAG wants none."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from airflow_sagemaker_presign.links import launch_page_is_supported, launch_url
from airflow_sagemaker_presign.validation import one_of, reject

LinkMode = Literal["presigned", "launch_page", "both"]

NO_PRESIGNED_URL = "this task has link='launch_page', so there is no presigned_url; use {{ launch_url }} or link='both'"

log = logging.getLogger(__name__)


def link_mode_of(value: object) -> LinkMode:
    """
    Check the operator's ``link``.

    :raises ValueError: if it is no such mode, or ``"launch_page"`` on an Airflow without a launch page, where a
        message without a credential would have no link at all.
    """
    if one_of("link", value, ("presigned", "launch_page", "both")) == "launch_page" and not launch_page_is_supported():
        reject("link", value, "'presigned' or 'both' on this Airflow; the launch page needs Airflow 3.1.1 or newer")
    return cast("LinkMode", value)


def reject_presigned_url_in_templates(notifiers: Sequence[Any]) -> None:
    """
    Check that no notifier's template uses a presigned URL, for messages that have none.

    A template in a file and a notifier's own code cannot be checked here; they fail when they are sent.

    :raises ValueError: if one does; the error names the notifier's field.
    """
    for index, notifier in enumerate(notifiers):
        for field in notifier.template_fields:
            for text in texts_of(getattr(notifier, field, None)):
                if _uses_presigned_url(text):
                    reject(f"notifiers[{index}].{field}", text, NO_PRESIGNED_URL)


def launch_url_for(link: LinkMode, ti: Any) -> str:
    """
    Return the launch URL for a task instance's messages.

    :param link: what the messages link to.
    :param ti: the task instance.
    :return: the launch URL; empty if there is none, or the messages do not link to it.
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
    lacks = "[api] base_url set where the tasks run" if launch_page_is_supported() else "Airflow 3.1.1 or newer"
    log.info("The message has only the presigned URL: a launch page needs %s.", lacks)


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


def _uses_presigned_url(text: str) -> bool:
    # Most texts need no parse.
    if "presigned_url" not in text:
        return False
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        # Not with `meta.find_undeclared_variables`, which raises for filters that only Airflow has.
        template = Environment(autoescape=True).parse(text)
    except TemplateSyntaxError:
        return False
    is_guarded = any(
        test.name == "defined" and isinstance(test.node, nodes.Name) and test.node.name == "presigned_url"
        for test in template.find_all(nodes.Test)
    )
    return not is_guarded and any(name.name == "presigned_url" for name in template.find_all(nodes.Name))
