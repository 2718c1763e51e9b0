"""Rendering of the ready-made notifiers' fields: a text stays a text, even in a DAG that renders native objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_sagemaker_presign.compat import BaseNotifier

if TYPE_CHECKING:
    from jinja2 import Environment


class TemplatedNotifier(BaseNotifier):
    """A notifier whose fields are rendered one by one, so that an error can name the field."""

    optional_fields: tuple[str, ...] = ()
    """Template fields that may be missing: the word ``None``, which a missing value renders to, counts as missing."""
    native_fields: tuple[str, ...] = ()
    """Template fields that may become a list, in a DAG that renders native objects; all others are texts."""
    recipient_fields: tuple[str, ...] = ()
    """Template fields that define who gets the message."""

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render the fields in place, for good."""
        for name in self.template_fields:
            setattr(self, name, self.rendered_field(name, context))

    def render_known_fields(self, context: Mapping[str, Any]) -> dict[str, Exception]:
        """
        Render the fields that can be rendered, in place, and set the others to ``None``.

        :return: the error of each field that could not be rendered.
        """
        errors: dict[str, Exception] = {}
        for name in self.template_fields:
            try:
                value = self.rendered_field(name, context)
            except Exception as error:
                errors[name] = error
                value = None
            setattr(self, name, value)
        return errors

    def render_before_start(self, name: str, context: Mapping[str, Any]) -> bool:
        """Render a field in place, and return whether that is possible before the notebook runs."""
        from airflow_sagemaker_presign.minting.redaction import redact

        written = getattr(self, name)
        try:
            if not _known_before_start(written, self._environment(name, context), context):
                return False
            setattr(self, name, self.rendered_field(name, context))
        except Exception as error:
            reason = f"{type(error).__name__}: {redact(str(error))[:300]}".rstrip(".: ")
            raise ValueError(f"{name}={written!r} of {type(self).__name__} cannot be rendered: {reason}.") from error
        return True

    def rendered_field(self, name: str, context: Any) -> Any:
        """Return a rendered field, and leave the notifier unchanged; raises whatever Jinja raises."""
        written = getattr(self, name)
        if written is None or (isinstance(written, str) and "{" not in written):
            return written
        value = self.render_template(written, context, self._environment(name, context), set())
        return None if name in self.optional_fields and value == "None" != written else value

    def _environment(self, name: str, context: Mapping[str, Any]) -> Environment:
        """
        Return the DAG's Jinja environment for a field, with the DAG's macros and filters.

        Only a field that may become a list is rendered to a native object. A text must not: "0" would become a number,
        and "1e5" 100000.0.
        """
        dag: Any = context.get("dag")
        if not hasattr(dag, "get_template_env"):
            # There is no DAG, or `airflow dags test` calls the DAG's callbacks with a DAG from Airflow's database.
            return self.get_template_env(dag=None)
        if name in self.native_fields:
            return self.get_template_env(dag=dag)
        environment: Environment = dag.get_template_env(force_sandboxed=True)
        return environment

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        from jinja2.nativetypes import NativeEnvironment

        # Airflow's own method follows the DAG's setting and ignores the template's environment.
        if isinstance(template.environment, NativeEnvironment):
            return super()._render(template, context, dag)
        return template.render(context)


def as_text(value: Any) -> str:
    """Return a rendered template or another task's output as text; empty for ``None``."""
    return "" if value is None else str(value).strip()


def _known_before_start(value: Any, environment: Environment, context: Mapping[str, Any]) -> bool:
    """
    Return whether a template refers to nothing that is known only later: once the notebook runs, or is about to stop.

    :raises jinja2.TemplateSyntaxError: if it can never be rendered.
    """
    from jinja2 import nodes

    from airflow_sagemaker_presign.delivery.link_mode import texts_of
    from airflow_sagemaker_presign.workspaces.kinds import kinds

    names = {
        name.name for text in texts_of(value) if "{" in text for name in environment.parse(text).find_all(nodes.Name)
    }
    descriptions = ("workspace_description", *(kind.description_variable() for kind in kinds()))
    # A task that warns of a stop knows only then whether the warning has a launch page.
    later = {name for name in ("launch_url", "stop_warning") if name not in context}
    return names.isdisjoint(("presigned_url", *descriptions, *later))
