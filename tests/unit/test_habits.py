"""The commands that CONTRIBUTING.md, the hooks of pre-commit and docs/testing.md promise exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_sagemaker_presign"
MAKEFILE = (ROOT / "Makefile").read_text()
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text()
TESTING = (ROOT / "docs" / "testing.md").read_text()
TARGETS = sorted(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))
MAX_HELP_WIDTH = 120


def groups(name: str) -> set[str]:
    """Return the packages that a dependency group names itself."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][name]
    return {re.split(r"[^\w-]", entry)[0] for entry in listed if isinstance(entry, str)}


def test_help_has_a_line_for_each_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    lines = [line for line in shown.splitlines() if line.startswith("make ")]
    assert sorted(line.split()[1] for line in lines) == TARGETS
    assert not [line for line in lines if len(line) > MAX_HELP_WIDTH or len(line.split()) < 4]


def test_no_file_of_a_targets_name_keeps_it_from_running() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(TARGETS) <= set(phony[1].split())


def test_the_hooks_download_nothing() -> None:
    assert re.findall(r"repo: (\S+)", HOOKS) == ["local"]
    assert set(re.findall(r"language: (\S+)", HOOKS)) == {"system"}


def test_the_hooks_run_git_and_the_tools_of_the_group_lint() -> None:
    programs = re.findall(r"entry: (\S+)", HOOKS)
    tools = {program.removeprefix(".venv/bin/") for program in programs if program.startswith(".venv/bin/")}
    assert tools == {"ruff", "mypy"}
    assert tools <= groups("lint")
    assert set(programs) - {f".venv/bin/{tool}" for tool in tools} == {"git"}


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")))
def test_the_page_says_which_tests_a_change_of_each_folder_needs(folder: str) -> None:
    _, _, table = TESTING.partition("\n## I changed X: which tests?\n")
    assert re.search(rf"^\| .*`{folder}/`.* \| .* \|$", table.partition("\n## ")[0], re.MULTILINE)


@pytest.mark.parametrize("path", sorted((ROOT / "tests" / "helpers").glob("[a-z]*.py")), ids=lambda path: path.stem)
def test_the_page_lists_each_shared_helper(path: Path) -> None:
    assert f"`{path.relative_to(ROOT).as_posix()}`" in TESTING
