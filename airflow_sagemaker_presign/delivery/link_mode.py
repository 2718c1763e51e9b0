"""What a message carries: the presigned URL, the launch page, or both; never a credential where the DAG wanted none."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Literal, cast

from airflow_sagemaker_presign.deprecation import OLD_KEYS, warn
from airflow_sagemaker_presign.links import launch_page_is_supported, launch_url
from airflow_sagemaker_presign.validation import one_of, reject

LinkMode = Literal["presigned", "launch_page", "both"]

NO_PRESIGNED_URL = "this task has link='launch_page', so there is no presigned_url; use {{ launch_url }} or link='both'"

log = logging.getLogger(__name__)


def link_mode_of(value: object) -> LinkMode:
    """
    Check what a message is to carry.

    :raises ValueError: when it is no such choice, or ``"launch_page"`` on an Airflow that has none: there a message
        without a credential would be one without a link.
    """
    if value == "door":
        warn("link='door'", "link='launch_page'")
        value = "launch_page"
    if one_of("link", value, ("presigned", "launch_page", "both")) == "launch_page" and not launch_page_is_supported():
        reject("link", value, "'presigned' or 'both' on this Airflow; the launch page needs Airflow 3.1.1 or newer")
    return cast("LinkMode", value)


def reject_presigned_url_in_templates(notifiers: Sequence[Any]) -> None:
    """
    See that no notifier's template speaks of a presigned URL that will not be there.

    What cannot be seen here (a template in a file, a notifier's own code) fails when it is sent.

    :raises ValueError: with the notifier's field.
    """
    for parameter, text in _templates(notifiers):
        if _uses(text, "presigned_url", after_a_check=False):
            reject(parameter, text, f"without presigned_url: {NO_PRESIGNED_URL}")


def warn_of_old_names_in_templates(notifiers: Sequence[Any]) -> None:
    """Warn of old names in the notifiers' templates, as far as they can be seen when the DAG is parsed."""
    for parameter, text in _templates(notifiers):
        for old, new in OLD_KEYS.items():
            if _uses(text, old, after_a_check=True):
                warn(f"{{{{ {old} }}}} in {parameter}", f"{{{{ {new} }}}}")


def launch_url_for(link: LinkMode, ti: Any) -> str:
    """
    Return which launch page a task instance's messages link to.

    :param link: what they are to carry.
    :param ti: the task instance.
    :return: the launch URL; empty when there is none, or none is wanted.
    :raises ValueError: for ``"launch_page"`` without one, rather than to send a credential instead.
    """
    if link == "presigned":
        return ""
    url = launch_url(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    if url is None and link == "launch_page":
        reject(
            "link",
            link,
            "'presigned' or 'both' unless [api] base_url is set where the tasks run: the launch URL begins with it",
        )
    if url is None:
        _log_missing_launch_page()
    return url or ""


@functools.cache
def _log_missing_launch_page() -> None:
    """Say it once in a process, not for every task of it."""
    lacks = "[api] base_url set where the tasks run" if launch_page_is_supported() else "Airflow 3.1.1 or newer"
    log.info("The message carries the presigned URL only: a launch page needs %s.", lacks)


def _templates(notifiers: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """Go through the texts of the notifiers' templated fields, each with a name for messages."""
    for index, notifier in enumerate(notifiers):
        for field in notifier.template_fields:
            for text in _texts(getattr(notifier, field, None)):
                yield f"notifiers[{index}].{field}", text


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _texts(item)


def _uses(text: str, name: str, *, after_a_check: bool) -> bool:
    """
    Return whether a template uses a variable.

    :param text: the template.
    :param name: the variable.
    :param after_a_check: whether a use counts in a template that checks if the variable is defined.
    """
    # Most texts end here, and pay for no parse.
    if name not in text:
        return False
    from jinja2 import Environment, TemplateSyntaxError, nodes

    try:
        # Its names, not `meta.find_undeclared_variables`, which stumbles over filters that only Airflow knows.
        template = Environment(autoescape=True).parse(text)
    except TemplateSyntaxError:
        return False
    checks = any(
        test.name == "defined" and isinstance(test.node, nodes.Name) and test.node.name == name
        for test in template.find_all(nodes.Test)
    )
    return (after_a_check or not checks) and any(node.name == name for node in template.find_all(nodes.Name))
