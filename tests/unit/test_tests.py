"""Rules for the tests themselves: shared code lives in helpers, and each test asserts something."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = sorted(TESTS.rglob("*.py"))
TEST_MODULES = [path for path in MODULES if path.name.startswith("test_")]
ASSERTING_CALLS = frozenset({"raises", "warns", "fail", "expect", "wait_for", "wait_for_url"})
"""pytest's, and a browser's, which fail after a timeout."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def imported(tree: ast.Module) -> Iterator[str]:
    """Name all modules that are imported, and all that may be ones."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def names(node: ast.AST) -> set[str]:
    """Name all that is called in it or handed on, also by its decorators: helpers and parameters of a test."""
    used = (getattr(each, "attr", None) or getattr(each, "id", None) for each in ast.walk(node))
    return {name for name in used if name}


def asserts(function: ast.AST, helpers: frozenset[str] = ASSERTING_CALLS) -> bool:
    return any(isinstance(node, ast.Assert) for node in ast.walk(function)) or bool(names(function) & helpers)


def asserting_functions(path: Path) -> set[str]:
    """Name the functions of a module, fixtures among them, whose own body asserts; tests excepted."""
    return {each.name for each in functions(parsed(path)) if not each.name.startswith("test_") and asserts(each)}


@functools.cache
def asserting_helpers() -> frozenset[str]:
    """Name what all tests can call: pytest's own, and what the helpers and fixtures have."""
    shared = (asserting_functions(path) for path in MODULES if path not in TEST_MODULES)
    return ASSERTING_CALLS.union(*shared)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_imported_from_a_test_or_a_conftest(path: Path) -> None:
    parts = {(name, part) for name in imported(parsed(path)) if name.startswith("tests.") for part in name.split(".")}
    assert not [name for name, part in parts if part == "conftest" or part.startswith("test_")]


@pytest.mark.parametrize("path", TEST_MODULES, ids=name_of)
def test_each_test_asserts_something(path: Path) -> None:
    tests = [function for function in functions(parsed(path)) if function.name.startswith("test_")]
    helpers = asserting_helpers() | asserting_functions(path)
    assert not [test.name for test in tests if not asserts(test, helpers)]
