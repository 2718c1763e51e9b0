from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.launch_page.current_user import CurrentUser, may_open
from airflow_sagemaker_presign.launch_page.rendered_task import RenderedTask

Make = Callable[..., RenderedTask]


def user_of(name: str | None = "ada", user_id: str | None = "7", **attributes: Any) -> Any:
    return SimpleNamespace(get_id=lambda: user_id, get_name=lambda: name, **attributes)


def current_user(name: str = "ada", *, may_edit: bool = False, **attributes: Any) -> CurrentUser:
    somebody = CurrentUser.of(user_of(name, **attributes), address="127.0.0.1")
    assert somebody is not None
    return replace(somebody, may_see=True, may_edit=may_edit)


def test_without_names_those_who_may_edit(task: Make) -> None:
    assert may_open(current_user(may_edit=True), task())
    assert not may_open(current_user(may_edit=False), task())


@pytest.mark.parametrize(
    ("who", "allowed", "opens"),
    [
        (current_user("ada"), ("ada",), True),
        (current_user("ada"), ("grace", "ada"), True),
        (current_user("ada", may_edit=True), ("grace",), False),
        (current_user("Ada"), ("ada",), False),
        (current_user("ada", email="ada@example.com"), ("ada@example.com",), True),
        (current_user("Ada Lovelace", username="ada", email="ada@example.com"), ("ada",), True),
        (current_user("ada", email="Ada@Example.com"), ("ada@example.com",), True),
        (current_user("ada", email=None, username=None), ("None",), False),
        (current_user("ada", email=""), ("",), False),
        (current_user("7"), ("ada",), False),
        (current_user("ada"), ("7",), False),
        (current_user("ada"), ("ada@example.com",), False),
        (current_user("ada@example.com.evil.example"), ("ada@example.com",), False),
        (current_user("ADA@EXAMPLE.COM"), ("ada@example.com",), True),
        # Kelvin's sign lower-cases to a k.
        (current_user("\u212aate@example.com"), ("kate@example.com",), False),
        (current_user("ada"), ("ada*", "a.a", "*"), False),
        # Where people have an e-mail address, what looks like one is compared with it, and never with a name.
        (current_user("boss@example.com", email="eve@evil.example"), ("boss@example.com",), False),
        (
            current_user("boss@example.com", username="boss@example.com", email="eve@evil.example"),
            ("eve@evil.example",),
            True,
        ),
        (current_user("BOSS@example.com", email="eve@evil.example"), ("boss@example.com",), False),
        (current_user("boss@example.com", email=""), ("boss@example.com",), False),
        # What FAB gives to people whom a proxy has signed in.
        (current_user("ada@REALM", email="ada@REALM@email.notfound"), ("ada@REALM",), False),
        (current_user("ada@REALM", email="ada@REALM@email.notfound"), ("ada@realm@email.notfound",), True),
        (current_user("eve", email="b\u043ess@example.com"), ("boss@example.com",), False),
        (current_user("ada", email="ada"), ("ada",), True),
        (current_user("eve", email="ada"), ("ada",), False),
        # Keycloak keeps no address; attributes that AWS's auth manager did not receive are None.
        (current_user("boss@example.com"), ("boss@example.com",), True),
        (current_user("boss@example.com", username=None, email=None), ("boss@example.com",), True),
        # A name that is shown may be anybody's choice.
        (current_user("grace", username="eve"), ("grace",), False),
    ],
)
def test_with_names_exactly_those(task: Make, who: CurrentUser, allowed: tuple[str, ...], opens: bool) -> None:
    assert may_open(who, task(allowed_users=allowed)) is opens


@pytest.mark.parametrize("may_edit", [True, False])
def test_a_user_opens_no_page_that_they_may_not_see(task: Make, may_edit: bool) -> None:
    blind = replace(current_user("ada", may_edit=may_edit), may_see=False)
    assert not may_open(blind, task())
    assert not may_open(blind, task(allowed_users=("ada",)))


@pytest.mark.parametrize(
    ("rendered", "now", "who", "opens"),
    [
        (("ada", "eve"), (("ada",),), current_user("eve"), False),
        (("ada", "eve"), (("ada",),), current_user("ada"), True),
        (("ada",), (("ada", "eve"),), current_user("eve"), False),
        (("ada",), (), current_user("ada"), True),
        # From names to editors, and from editors to names.
        (("ada",), (None,), current_user("ada"), False),
        (("ada",), (None,), current_user("ada", may_edit=True), True),
        (("ada",), (None,), current_user("ed", may_edit=True), False),
        (None, (("ada",),), current_user("ed", may_edit=True), False),
        (None, (("ada",),), current_user("ada", may_edit=True), True),
    ],
)
def test_a_user_removed_from_the_dag_loses_access(
    task: Make, rendered: Any, now: Any, who: CurrentUser, opens: bool
) -> None:
    assert may_open(who, task(allowed_users=rendered, allowed_now=now)) is opens


@pytest.mark.parametrize(
    "user",
    [
        None,
        user_of(is_anonymous=True),
        user_of(is_anonymous=lambda: True),
        user_of("Anonymous", None),
        user_of("Anonymous", ""),
        user_of("Anonymous", " "),
        user_of(None),
        user_of(""),
    ],
)
def test_an_anonymous_user_is_no_current_user(user: Any) -> None:
    assert CurrentUser.of(user, address="127.0.0.1") is None


def test_a_named_user_is_a_current_user() -> None:
    assert CurrentUser.of(user_of("ada", "7", is_anonymous=False), address="127.0.0.1") is not None
    assert CurrentUser.of(user_of("ada", "0"), address="127.0.0.1") is not None


def test_an_error_page_names_the_current_user() -> None:
    assert current_user("boss@example.com", email="eve@evil.example").full_name == "boss@example.com (eve@evil.example)"
    assert current_user("ada").full_name == "ada"
