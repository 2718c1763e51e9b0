"""Old names that still work in this release. Each use of one raises a warning that names the replacement."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any

OLD_KEYS = {"door_url": "launch_url", "door_open_for": "launch_page_valid_for"}
"""Old keys of the notifiers' context and of the receipt, with the new ones."""

_NOT_THE_AUTHORS = frozenset({"airflow", "airflow_sagemaker_presign", "importlib"})


def warn(old: str, new: str) -> None:
    """Emit a deprecation warning that points to the line of the DAG file or module with the old name."""
    # Airflow wraps the constructors of operators, so the line to report is in the first frame outside of Airflow.
    frame = sys._getframe(1)
    while frame.f_back and str(frame.f_globals.get("__name__", "")).partition(".")[0] in _NOT_THE_AUTHORS:
        frame = frame.f_back
    warnings.warn_explicit(
        f"{old} is deprecated and will be removed in the next minor release; use {new}.",
        DeprecationWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        module=str(frame.f_globals.get("__name__")),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a module's ``__getattr__`` that knows old names, each with the new name in the same module."""

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", f"{module}.{names[name]}")
        return getattr(sys.modules[module], names[name])

    return look_up


def renamed_parameter(old: str, old_value: Any, new: str, new_value: Any, default: object) -> Any:
    """
    Return the value of a parameter that has an old name, too; raise a ``ValueError`` if both were given.

    :param old_value: ``None`` if nothing was given under the old name.
    :param default: the new parameter's default, compared by identity.
    """
    if old_value is None:
        return new_value
    if new_value is not default:
        raise ValueError(f"{old} is the old name of {new}, and both were given; use {new} only.")
    warn(f"{old}=", f"{new}=")
    return old_value


def with_old_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a notifiers' context, or of a receipt, under their keys and under the old ones."""
    return {**values, **{old: values[new] for old, new in OLD_KEYS.items() if new in values}}
