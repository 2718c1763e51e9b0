from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.door.rendered_task import RenderedTask
from airflow_sagemaker_presign.door.visitor import Visitor, may_open

Make = Callable[..., RenderedTask]


def visitor(name: str = "ada", *, may_edit: bool = False, **attributes: Any) -> Visitor:
    user = SimpleNamespace(get_id=lambda: "7", get_name=lambda: name, **attributes)
    return Visitor.of(user, may_edit=may_edit, address="127.0.0.1")


def test_without_names_those_who_may_edit(task: Make) -> None:
    assert may_open(visitor(may_edit=True), task())
    assert not may_open(visitor(may_edit=False), task())


@pytest.mark.parametrize(
    ("who", "allowed", "opens"),
    [
        (visitor("ada"), ("ada",), True),
        (visitor("ada"), ("grace", "ada"), True),
        (visitor("ada", may_edit=True), ("grace",), False),
        (visitor("Ada"), ("ada",), False),
        (visitor("ada", email="ada@example.com"), ("ada@example.com",), True),
        (visitor("Ada Lovelace", username="ada", email="ada@example.com"), ("ada",), True),
        (visitor("ada", email="Ada@Example.com"), ("ada@example.com",), True),
        (visitor("ada", email=None, username=None), ("None",), False),
        (visitor("ada", email=""), ("",), False),
        (visitor("7"), ("ada",), False),
        (visitor("ada"), ("7",), False),
        (visitor("ada"), ("ada@example.com",), False),
        (visitor("ada@example.com.evil.example"), ("ada@example.com",), False),
        (visitor("ADA@EXAMPLE.COM"), ("ada@example.com",), True),
        # Kelvin's sign lower-cases to a k.
        (visitor("\u212aate@example.com"), ("kate@example.com",), False),
        (visitor("ada"), ("ada*", "a.a", "*"), False),
    ],
)
def test_with_names_exactly_those(task: Make, who: Visitor, allowed: tuple[str, ...], opens: bool) -> None:
    assert may_open(who, task(allowed_users=allowed)) is opens
