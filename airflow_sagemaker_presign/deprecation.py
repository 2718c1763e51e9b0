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
    """
    Emit a deprecation warning that points to the line of the DAG file or module with the old name.

    :param old: the old name.
    :param new: the new name.
    """
    # Airflow wraps the constructors of operators, so the line to report is in the first frame outside of Airflow.
    frame = sys._getframe(1)
    while frame.f_back is not None and _package(frame.f_globals) in _NOT_THE_AUTHORS:
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
    """
    Return a module's ``__getattr__`` that resolves old names.

    :param module: the module's ``__name__``.
    :param names: the new name in the same module for each old one.
    """

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        warn(f"{module}.{name}", f"{module}.{names[name]}")
        return getattr(sys.modules[module], names[name])

    return look_up


def renamed_parameter(old: str, old_value: Any, new: str, new_value: Any, default: object) -> Any:
    """
    Return the value of a parameter that has an old name, too.

    :param old: the old name.
    :param old_value: the value passed under the old name; ``None``: not passed.
    :param new: the new name.
    :param new_value: the value passed under the new name.
    :param default: the new parameter's default, compared by identity.
    :raises ValueError: when both were given.
    """
    if old_value is None:
        return new_value
    if new_value is not default:
        raise ValueError(f"{old} is the old name of {new}, and both were given; use {new} only.")
    warn(f"{old}=", f"{new}=")
    return old_value


def with_old_keys(values: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return values under their keys, and under the old ones.

    :param values: a notifiers' context, or a receipt.
    """
    return {**values, **{old: values[new] for old, new in OLD_KEYS.items() if new in values}}


def _package(module_globals: Mapping[str, Any]) -> str:
    return str(module_globals.get("__name__", "")).partition(".")[0]
