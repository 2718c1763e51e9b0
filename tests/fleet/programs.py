"""The programs that the fleet needs besides Python's packages: where they are, or which package has them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

PACKAGES = {"initdb": "postgresql", "postgres": "postgresql", "redis-server": "redis-server"}
DEBIANS = Path("/usr/lib/postgresql")
"""Debian keeps the programs of each version of PostgreSQL apart, and off the PATH."""


class ProgramsMissing(Exception):
    """A program is not installed; the message says which package has it."""


def find(path: str | None = None, debians: Path = DEBIANS) -> dict[str, Path]:
    """
    Find all of them.

    :param path: directories to search first; default: the PATH.
    :param debians: where Debian has PostgreSQL, in a folder for each version.
    :raises ProgramsMissing: when one is not there.
    """
    folders = [path or os.environ.get("PATH", os.defpath), *map(str, newest_first(debians.glob("*/bin")))]
    found = {name: shutil.which(name, path=os.pathsep.join(folders)) for name in PACKAGES}
    if missing := missing_packages(found):
        raise ProgramsMissing(
            f"The fleet needs programs that are not installed. On Debian and Ubuntu:\n"
            f"  apt-get install -y --no-install-recommends {' '.join(missing)}"
        )
    return {name: Path(place) for name, place in found.items() if place}


def missing_packages(found: Mapping[str, str | None]) -> list[str]:
    """Name the packages of the programs that were not found."""
    return sorted({PACKAGES[name] for name, place in found.items() if not place})


def newest_first(folders: Iterable[Path]) -> list[Path]:
    """Order PostgreSQL's folders, ``…/15/bin`` before ``…/9.6/bin``."""
    return sorted(folders, key=lambda folder: [int(n) for n in re.findall(r"\d+", folder.parent.name)], reverse=True)
