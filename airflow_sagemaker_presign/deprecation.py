"""Names of 0.1 that still work in this release, each with a warning that says what to write."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def warn(old: str, new: str) -> None:
    """
    Warn whoever wrote an old name.

    :param old: what they wrote.
    :param new: what to write.
    """
    # Names of modules are looked up by importlib: the first frame outside of it and of this package is the reader's.
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(
        ("airflow_sagemaker_presign", "importlib")
    ):
        level, frame = level + 1, frame.f_back
    message = f"{old} is deprecated and goes with the next release; write {new}."
    warnings.warn(message, DeprecationWarning, stacklevel=level - 1)


def renamed(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """
    Return a module's ``__getattr__`` that knows old names.

    :param module: the module's ``__name__``.
    :param names: the new name for each old one: of the same module, or with its module as ``module:name``.
    """

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        from importlib import import_module

        place, _, new = names[name].rpartition(":")
        warn(f"{module}.{name}", f"{place or module}.{new}")
        return getattr(import_module(place or module), new)

    return look_up
