"""What README and docs say is true: code compiles, tables have every parameter, links and make targets are there."""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_sagemaker_presign import exceptions
from airflow_sagemaker_presign.compat import IS_AIRFLOW_2
from airflow_sagemaker_presign.delivery import send_errors
from airflow_sagemaker_presign.notifications.email import NotebookUrlSmtpNotifier
from airflow_sagemaker_presign.notifications.slack import NotebookUrlSlackNotifier
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_sagemaker_presign"
PAGES = {
    str(path.relative_to(ROOT)): path.read_text() for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
}
README = PAGES["README.md"]
MAX_README_LINES = 125
DEPRECATED = ("door_open_for",)


def blocks(language: str, *pages: str) -> list[Any]:
    """Return the code blocks in a language, of these pages or of all, as parameters of a test."""
    return [
        pytest.param(textwrap.dedent(found[2]), id=f"{page}:{PAGES[page][: found.start()].count(chr(10)) + 1}")
        for page in pages or PAGES
        for found in re.finditer(rf"^( *)```{language}\n(.*?)^\1```$", PAGES[page], re.DOTALL | re.MULTILINE)
    ]


def prose(text: str) -> str:
    """Return a page without its code, in which a bracket is no link."""
    return re.sub(r"^( *)```.*?^\1```$|`[^`\n]+`", "", text, flags=re.DOTALL | re.MULTILINE)


def section(page: str, heading: str) -> str:
    """Return a page's section, with those below it."""
    level = len(heading) - len(heading.lstrip("#"))
    _, _, rest = PAGES[page].partition(f"\n{heading}\n")
    assert rest, f"{page} has a section {heading}"
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def shell_lines() -> Iterator[str]:
    for text in PAGES.values():
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
            yield from block.splitlines()


@pytest.mark.skipif(IS_AIRFLOW_2, reason="the DAG to paste imports airflow.sdk")
def test_the_dag_to_paste_has_about_ten_lines_and_makes_its_task() -> None:
    source = next(block.values[0] for block in blocks("python", "README.md") if "DAG(" in block.values[0])
    assert len(source.splitlines()) <= 12
    made: dict[str, Any] = {}
    exec(source.replace("catchup=False):", "catchup=False) as dag:"), made)
    assert made["dag"].task_ids == ["notebook_link"]


def test_the_readme_is_for_a_person_in_a_hurry() -> None:
    assert len(README.splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("docs/operators.md", SageMakerPresignedNotebookUrlOperator),
        ("docs/operators.md", SageMakerStopNotebookInstanceOperator),
        ("docs/notifiers.md", NotebookUrlSlackNotifier),
        ("docs/notifiers.md", NotebookUrlSmtpNotifier),
    ],
)
def test_the_tables_have_every_parameter_and_no_other(page: str, kind: type) -> None:
    rows = re.findall(r"^\| (`.*?) \| .* \| .* \|$", section(page, f"## {kind.__name__}"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for name in inspect.signature(kind).parameters if name not in ("self", "kwargs", *DEPRECATED)}


@pytest.mark.parametrize("source", blocks("python"))
def test_python_compiles(source: str) -> None:
    assert ast.parse(source).body


@pytest.mark.parametrize("source", blocks("json"))
def test_json_is_json(source: str) -> None:
    assert json.loads(source)


def test_exported_connections_are_json() -> None:
    exported = [
        value
        for text in PAGES.values()
        for value in re.findall(r"export AIRFLOW_CONN_\w+='(.*?)'$", text, re.DOTALL | re.MULTILINE)
    ]
    assert {json.loads(value)["conn_type"] for value in exported} == {"apprise", "aws", "slack", "smtp"}


def test_the_policy_allows_what_each_page_that_shows_it_needs() -> None:
    policies = [block.values[0] for block in blocks("json") if "sagemaker:" in block.values[0]]
    assert len(policies) == 2
    for policy in policies:
        actions = json.loads(policy)["Statement"][0]["Action"]
        assert len(actions) == 4


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_file_that_it_links_to_is_there(page: str) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", prose(PAGES[page])) if "://" not in link]
    assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_heading_that_it_links_to_is_there(page: str) -> None:
    missing = []
    for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", prose(PAGES[page])):
        path = (ROOT / page).parent.joinpath(target).resolve() if target else ROOT / page
        if anchor not in anchors(PAGES[str(path.relative_to(ROOT))]):
            missing.append(f"{target}#{anchor}")
    assert not missing


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub and MyST make of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {name for line in re.findall(r"^([a-z][a-z ]*):", makefile, re.MULTILINE) for name in line.split()}
    in_code = [code for text in PAGES.values() for code in re.findall(r"`(make [^`\n]+)`", text)]
    named = {
        word
        for line in [*in_code, *shell_lines()]
        for words in re.findall(r"^(?:\$ )?make((?: [a-z]+)+)(?= |$)", line.partition("#")[0].rstrip())
        for word in words.split()
    }
    assert {"demo", "test", "docs"} <= named
    assert named <= targets


def test_every_path_of_this_repository_that_is_named_is_there() -> None:
    tops = {path.name for folder in (ROOT, PACKAGE) for path in folder.iterdir() if path.is_dir()}
    missing = {
        f"{page}: {path}"
        for page, text in PAGES.items()
        if page != "CHANGELOG.md"
        for path in re.findall(r"`([\w.]+/[\w./-]*)`", text)
        if path.partition("/")[0] in tops and "NAME" not in path
        if not (ROOT / path).exists() and not (PACKAGE / path).exists() and not is_made_here(path)
    }
    assert not missing


def is_made_here(path: str) -> bool:
    """Return whether git ignores a path: it is an output, and need not be there."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    return any(path.startswith(f"{line}/") or path.rstrip("/") == line for line in ignored)


def test_every_error_that_is_named_is_one() -> None:
    named = set(re.findall(r"^\| `([A-Z]\w+)`", PAGES["docs/operations.md"], re.MULTILINE))
    named |= set(re.findall(r"^\| `([A-Z]\w+)`", section("docs/operators.md", "## Errors"), re.MULTILINE))
    assert {"WorkspaceError", "LinkDeliveryError", "NotebookInstanceNoCapacity"} <= named
    known = {**vars(exceptions), **vars(send_errors), "ValueError": ValueError}
    assert not [name for name in named if name not in known]


def test_the_page_and_the_changelog_have_every_metric_and_no_other() -> None:
    called = re.compile(r"metrics\.(?:incr|gauge|timing)\(\s*\"(\w+)\"")
    sent = {name for path in PACKAGE.rglob("*.py") for name in called.findall(path.read_text())}
    table = section("docs/operations.md", "## Metrics")
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == sent
    (listed,) = re.findall(r"- Metrics: (.*?)\.\n", PAGES["CHANGELOG.md"], re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == sent
