from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet.programs import ProgramsMissing, find


def put(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch(mode=0o755)
    return folder


def test_a_missing_program_is_reported_with_its_package(tmp_path: Path) -> None:
    here = put(tmp_path / "bin", "initdb", "postgres")
    with pytest.raises(ProgramsMissing, match=r"install .* redis-server$"):
        find(str(here), tmp_path / "none")


def test_nothing_there_names_each_package_once(tmp_path: Path) -> None:
    with pytest.raises(ProgramsMissing, match=r"recommends postgresql redis-server$"):
        find(str(tmp_path), tmp_path / "none")


def test_debians_newest_postgresql_is_found_off_the_path(tmp_path: Path) -> None:
    here = put(tmp_path / "bin", "redis-server")
    put(tmp_path / "postgresql" / "9.6" / "bin", "initdb", "postgres")
    newest = put(tmp_path / "postgresql" / "15" / "bin", "initdb", "postgres")
    found = find(str(here), tmp_path / "postgresql")
    assert found["postgres"] == newest / "postgres"
