"""Rendering of the ready-made notifiers' fields: a text stays a text, even in a DAG that renders native objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_sagemaker_presign.delivery.link_mode import texts_of

if TYPE_CHECKING:
    from jinja2 import Environment

KNOWN_ONCE_RUNNING = ("presigned_url", "notebook_instance")
"""What the operator adds to the context once the notebook instance is InService."""


class TemplatedNotifier(Protocol):
    """A notifier whose fields are rendered one by one."""

    @property
    def template_fields(self) -> Sequence[str]:
        """All template fields."""

    @property
    def native_fields(self) -> tuple[str, ...]:
        """Template fields that may become a list, in a DAG that renders native objects; all others are texts."""

    @property
    def optional_fields(self) -> tuple[str, ...]:
        """Template fields that may be missing: a rendered ``None`` counts as missing."""

    @property
    def recipient_fields(self) -> tuple[str, ...]:
        """Template fields that define who gets the message."""

    def get_template_env(self, dag: Any = None) -> Environment:
        """Return the Jinja environment of a DAG."""

    def render_template(self, content: Any, context: Any, jinja_env: Any = None, seen_oids: Any = None) -> Any:
        """Render a value with Airflow's templating."""


def rendered_field(notifier: TemplatedNotifier, name: str, context: Mapping[str, Any]) -> Any:
    """
    Return a rendered field, and leave the notifier unchanged.

    :param notifier: the notifier.
    :param name: the field.
    :param context: what the template sees.
    :raises Exception: whatever Jinja raises, if the field cannot be rendered.
    """
    written = getattr(notifier, name)
    if written is None or (isinstance(written, str) and "{" not in written):
        return written
    environment = environment_of(notifier, context, native=name in notifier.native_fields)
    value = notifier.render_template(written, context, environment, set())
    return None if name in notifier.optional_fields and value == "None" != written else value


def render_known_fields(notifier: TemplatedNotifier, context: Mapping[str, Any]) -> dict[str, Exception]:
    """
    Render the fields that can be rendered, in place, and set the others to ``None``.

    :param notifier: the notifier, which changes for good.
    :param context: what the templates see.
    :return: the error of each field that could not be rendered.
    """
    errors: dict[str, Exception] = {}
    for name in notifier.template_fields:
        try:
            value = rendered_field(notifier, name, context)
        except Exception as error:
            errors[name] = error
            value = None
        setattr(notifier, name, value)
    return errors


def environment_of(notifier: TemplatedNotifier, context: Mapping[str, Any], *, native: bool) -> Environment:
    """
    Return the DAG's Jinja environment, with its macros and filters.

    :param notifier: the notifier whose template is rendered.
    :param context: what the template sees.
    :param native: whether a DAG with ``render_template_as_native_obj`` renders to native objects. A text must not:
        "0" would become a number, and "1e5" 100000.0.
    """
    dag: Any = context.get("dag")
    environment: Environment
    if not hasattr(dag, "get_template_env"):
        # There is no DAG, or `airflow dags test` calls the DAG's callbacks with a DAG from Airflow's database.
        environment = notifier.get_template_env(dag=None)
    elif native:
        environment = notifier.get_template_env(dag=dag)
    else:
        environment = dag.get_template_env(force_sandboxed=True)
    return environment


def needs_running_notebook(value: Any, environment: Environment) -> bool:
    """
    Return whether a template can be rendered only once the notebook instance is InService.

    :raises jinja2.TemplateSyntaxError: if it can never be rendered.
    """
    from jinja2 import nodes

    names = {
        name.name for text in texts_of(value) if "{" in text for name in environment.parse(text).find_all(nodes.Name)
    }
    return not names.isdisjoint(KNOWN_ONCE_RUNNING)


def as_text(value: Any) -> str:
    """Return a rendered template or another task's output as text; empty for ``None``."""
    return "" if value is None else str(value).strip()
