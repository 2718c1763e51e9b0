"""How the ready-made notifiers render their fields: texts as texts, whatever the DAG's setting for native objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

KNOWN_ONCE_RUNNING = ("presigned_url", "notebook_instance")
"""What the operator adds to the context once the notebook instance is InService."""


def environment_of(notifier: Any, context: Mapping[str, Any], *, native: bool) -> Environment:
    """
    Get the DAG's Jinja environment, with its macros and filters.

    :param notifier: whose template is rendered.
    :param context: what it sees.
    :param native: whether a DAG with ``render_template_as_native_obj`` makes objects of what is rendered. A text must
        not go through that: "0" would come back as a number, "1e5" as 100000.0.
    """
    dag: Any = context.get("dag")
    environment: Environment
    if not hasattr(dag, "get_template_env"):
        # None, or a DAG out of Airflow's database, with which `airflow dags test` calls the DAG's callbacks.
        environment = notifier.get_template_env(dag=None)
    elif native:
        environment = notifier.get_template_env(dag=dag)
    else:
        environment = dag.get_template_env(force_sandboxed=True)
    return environment


def needs_running_notebook(value: Any, environment: Environment) -> bool:
    """
    Return whether a template cannot be rendered before the notebook instance is InService.

    :raises jinja2.TemplateSyntaxError: when it never can be.
    """
    from jinja2 import nodes

    names = {
        name.name for text in _texts(value) if "{" in text for name in environment.parse(text).find_all(nodes.Name)
    }
    return not names.isdisjoint(KNOWN_ONCE_RUNNING)


def as_text(value: Any) -> str:
    """Return what another task's output, or a template, came to, as a text; nothing for ``None``."""
    return "" if value is None else str(value).strip()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _texts(item)
