"""Which kinds of workspace there are, and which workspace an operator's fields identify."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_sagemaker_presign.workspaces.base import Workspace
from airflow_sagemaker_presign.workspaces.notebook_instance import NotebookInstance


def kinds() -> Iterator[type[Workspace]]:
    """Return every kind of workspace: this package's, and those that others have defined in this process."""
    yield NotebookInstance
    yield from (kind for kind in Workspace.__subclasses__() if kind is not NotebookInstance)


def workspace_of(values: Mapping[str, Any]) -> Workspace | None:
    """
    Return the workspace that an operator's fields identify.

    :param values: the fields, by name.
    :return: ``None``: they are of another operator.
    :raises ValueError: when AWS would refuse an identifier.
    """
    for kind in kinds():
        if all(field in values for field in kind.identifiers()):
            return kind.from_fields(values)
    return None
