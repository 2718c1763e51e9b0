"""
Write the constraints for ``make matrix``: the versions with which each Airflow was installed on its release date.

    make constraints                 all of them
    make constraints only=3.1.8      one

The dependencies of this package and its extras are resolved to versions no newer than the release date, as
Airflow's own constraints are; further test dependencies are as new as these allow. With ``newest`` all are newest, and
with ``lowest`` each direct requirement is the lowest that pyproject.toml admits; ``docs`` builds the documentation.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = "airflow-sagemaker-presign"
RELEASES = {
    "2.11.0": date(2025, 5, 20),
    "2.11.2": date(2026, 3, 14),
    "3.0.0": date(2025, 4, 22),
    "3.0.6": date(2025, 8, 29),
    "3.1.0": date(2025, 9, 25),
    "3.1.8": date(2026, 3, 11),
    "3.2.0": date(2026, 4, 7),
    "3.2.2": date(2026, 5, 29),
    "3.3.0": date(2026, 7, 6),
}
"""The first and latest patch of each minor version of Airflow except the latest of all, with the release date."""
NEWEST = "newest"
LOWEST = "lowest"
DOCS = "docs"
NAMES = (*RELEASES, NEWEST, LOWEST, DOCS)
BUILDERS = ("editables", "hatch-fancy-pypi-readme", "hatchling", "pip", "setuptools", "wheel")
"""What .ci/environment.py installs with; the tests do not depend on them, so they are the newest."""
SLOW = "jsonschema<4.25"
"""From 4.25 on, it delays the start of each Airflow process by two seconds."""

TOO_NEW = "structlog<25.5"
"""Later versions lack names that Airflow 3.1.0 and 3.1.1 import without setting an upper bound."""
ALL_OF_AMAZON = "apache-airflow-providers-amazon[aiobotocore]"
"""Airflow's own constraints hold every extra; this one holds boto3 back."""

Versions = dict[str, str]


def main() -> None:
    """Write the requested files."""
    names = sys.argv[1:] or NAMES
    if unknown := set(names) - set(NAMES):
        sys.exit(f"Unknown constraints: {', '.join(sorted(unknown))}. Choose from {', '.join(NAMES)}.")
    with tempfile.TemporaryDirectory() as folder:
        pip = Pip(Path(folder))
        for name in names:
            print(f"{name} ...", flush=True)
            file = ROOT / ("constraints.txt" if name == NEWEST else f".ci/constraints-{name}.txt")
            file.write_text(text(name, versions(pip, name)))


def versions(pip: Pip, name: str) -> Versions:
    """Resolve one set of versions."""
    if name in RELEASES:
        airflow = f"apache-airflow=={name}"
        requirements = [airflow, f"{ROOT}[slack,smtp]", ALL_OF_AMAZON, SLOW]
        at_release = pip.resolve(requirements, before=RELEASES[name] + timedelta(days=1))
        found = pip.resolve([*pinned(at_release), f"{ROOT}[local]"], groups=["test"])
    elif name == LOWEST:
        found = pip.resolve([*lowest(), f"{ROOT}[local]", SLOW, TOO_NEW], groups=["test"])
    elif name == DOCS:
        found = pip.resolve([], groups=["docs"])
    else:
        found = pip.resolve([f"{ROOT}[local]", SLOW], groups=["fab", "fleet"])
    return pip.resolve(list(BUILDERS)) | found


def pinned(found: Versions) -> list[str]:
    """Return requirements for exactly these versions."""
    return [f"{name}=={version}" for name, version in found.items()]


def lowest() -> list[str]:
    """Return requirements for the lowest allowed version of each dependency except Airflow."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = (project["dependencies"], *project["optional-dependencies"].values())
    requirements = (line for lines in groups for line in lines)
    bounds = (re.fullmatch(r"([\w.-]+)(?:\[.*\])?>=([\w.]+).*", line) for line in requirements)
    return [f"{found[1]}=={found[2]}" for found in bounds if found and found[1] != "apache-airflow"]


def text(name: str, found: Versions) -> str:
    """Return the file's content, sorted, with a header that describes it and how to regenerate it."""
    what = {
        NEWEST: "The newest of everything that this package is tested with.",
        LOWEST: "The lowest versions that pyproject.toml admits, and the newest Airflow that takes them.",
        DOCS: "The newest of what builds the documentation.",
    }.get(name) or f"What Airflow {name} was installed with on its day, and the newest of what only tests need."
    lines = sorted(pinned(found), key=str.lower)
    return "\n".join((f"# {what} Made by: make constraints only={name}", *lines, ""))


class Pip:
    """
    A pip that leaves out what is newer than a day; the first that can is 26.0.

    :param folder: for its environment.
    """

    def __init__(self, folder: Path) -> None:
        self._python = folder / "bin" / "python"
        self._report = folder / "report.json"
        venv.create(folder, with_pip=True)
        self._run("--upgrade", "pip>=26")

    def resolve(self, requirements: list[str], groups: Sequence[str] = (), before: date | None = None) -> Versions:
        """
        Find versions that fit together.

        :param requirements: what they have to be.
        :param groups: what else is needed: dependency groups of pyproject.toml.
        :param before: leave out what was uploaded on this day or later.
        """
        options = ("--dry-run", "--ignore-installed", "--report", str(self._report))
        age = () if before is None else ("--uploaded-prior-to", f"{before}T00:00:00Z")
        more = (word for group in groups for word in ("--group", f"{ROOT}/pyproject.toml:{group}"))
        self._run(*options, *age, *more, *requirements)
        found = (package["metadata"] for package in json.loads(self._report.read_text())["install"])
        return {package["name"]: package["version"] for package in found if package["name"] != PROJECT}

    def _run(self, *arguments: str) -> None:
        # Isolated, since a machine's own package index may lack upload times.
        command = [self._python, "-m", "pip", "--isolated", "install", "--quiet", "--no-input", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"pip could not resolve it:\n{done.stderr[-3000:]}")


if __name__ == "__main__":
    main()
