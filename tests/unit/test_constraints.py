"""What the tests run with is pinned by name and version alone: no address, no path, no option of pip's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "constraints.txt", *sorted((ROOT / ".ci").glob("constraints-*.txt"))]
DOCS = ROOT / ".ci" / "constraints-docs.txt"
PIN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([0-9][A-Za-z0-9.!+]*)")


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    found = [PIN.fullmatch(line) for line in lines]
    assert None not in found, [line for line, pin in zip(lines, found, strict=True) if pin is None]
    return {re.sub(r"[-_.]+", "-", pin[1]).lower(): pin[2] for pin in found if pin}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_constraints_hold_names_and_versions_only(path: Path) -> None:
    assert "://" not in path.read_text()
    assert pins(path)["sphinx" if path == DOCS else "apache-airflow"]


@pytest.mark.parametrize("path", [path for path in FILES if path.stem[-1].isdigit()], ids=lambda path: path.name)
def test_a_file_is_for_the_airflow_that_it_is_named_after(path: Path) -> None:
    assert pins(path)["apache-airflow"] == path.stem.removeprefix("constraints-")


def test_there_are_the_first_and_the_newest_patch_of_each_airflow() -> None:
    releases = [path.stem.removeprefix("constraints-") for path in FILES if path.stem[-1].isdigit()]
    patches: dict[str, list[int]] = {}
    for release in releases:
        minor, _, patch = release.rpartition(".")
        patches.setdefault(minor, []).append(int(patch))
    newest, _, _ = pins(ROOT / "constraints.txt")["apache-airflow"].rpartition(".")
    assert {minor: min(found) for minor, found in patches.items()} == dict.fromkeys(patches, 0)
    assert {minor for minor, found in patches.items() if len(found) == 1} <= {newest}


def test_the_lowest_versions_are_those_of_pyproject() -> None:
    lowest = lowest_versions()
    assert lowest.pop("apache-airflow") == "2.11.0"
    pinned = pins(ROOT / ".ci" / "constraints-lowest.txt")
    assert {name: _release(pinned[name]) for name in lowest} == {name: _release(low) for name, low in lowest.items()}


@pytest.mark.parametrize(
    "name",
    ["apache-airflow-providers-amazon", "boto3", *(f"apache-airflow-providers-{name}" for name in ("slack", "smtp"))],
)
def test_a_bound_is_what_some_airflow_had_on_its_day(name: str) -> None:
    """Were it lower, no Airflow that is supported would need it; were it higher, this one would be left out."""
    days = [pins(path)[name] for path in FILES if path.stem[-1].isdigit()]
    assert min(days, key=_parts) == lowest_versions()[name]


def lowest_versions() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    return dict(re.findall(r"^([a-z0-9-]+)>=([0-9.]+)$", "\n".join(asked), re.MULTILINE))


def _parts(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _release(version: str) -> str:
    """``4`` and ``4.0.0`` are the same version."""
    return re.sub(r"(\.0)+$", "", version)
