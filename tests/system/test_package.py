"""What is uploaded to a package index: its contents, its description, and that it works without a checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

pytest.importorskip("build", reason="the tools to build and check it are with the newest versions only")

CHECKOUT = Path(__file__).parents[2]


def run(*command: str, **options: object) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return str(answer.stdout)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    # With the packages installed here: otherwise they would be downloaded again.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(CHECKOUT))
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def description(wheel: Path) -> str:
    with ZipFile(wheel) as content:
        (metadata,) = (name for name in content.namelist() if name.endswith(".dist-info/METADATA"))
        return str(message_from_string(content.read(metadata).decode()).get_payload())


def test_a_package_index_takes_both(built: Path) -> None:
    assert run(sys.executable, "-m", "twine", "check", "--strict", *map(str, built.iterdir())).count("PASSED") == 2


def test_the_wheel_has_the_package_and_the_example_dags(wheel: Path) -> None:
    examples = "airflow_sagemaker_presign/example_dags/"
    with ZipFile(wheel) as content:
        names = content.namelist()
        for path in (CHECKOUT / "dags").glob("*.py"):
            assert content.read(examples + path.name) == path.read_bytes()
    assert len([name for name in names if name.startswith(examples)]) == len(list((CHECKOUT / "dags").glob("*.py")))
    tops = {name.split("/")[0] for name in names}
    assert {re.sub(r"-[\d.]+\.dist-info$", "", top) for top in tops} == {"airflow_sagemaker_presign"}


def test_the_source_has_what_its_tests_need_and_nothing_that_was_made_here(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as content:
        names = {name.partition("/")[2] for name in content.getnames()}
    assert {
        "README.md",
        "Makefile",
        "constraints.txt",
        ".ci/environment.py",
        ".ci/constraints-lowest.txt",
        "dags/notebook_on_demand.py",
        "tests/conftest.py",
        "tests/system/test_package.py",
    } <= names
    made_here = re.compile(r"(^|/)(\.venv|\.git$|\.git/|\.demo|\.bench|\.hypothesis|\.[a-z]+_cache|__pycache__|dist/)")
    assert [name for name in names if made_here.search(name)] == []


def test_the_description_needs_no_file_beside_it_and_no_checkout(description: str) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", re.sub(r"`[^`\n]+`", "", description))
    assert [target for target in targets if not target.startswith("https://")] == []
    assert ".readme/" not in description
    assert 'pip install "airflow-sagemaker-presign[slack,smtp]' in description
    assert "python -m airflow_sagemaker_presign.local.demo" in description
    assert not re.search(r"^\$ make", description, re.MULTILINE)


def test_the_demo_runs_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """In an environment that has all that this one has but this package, which it has from the wheel."""
    home = tmp_path / "environment"
    venv.create(home, with_pip=False, symlinks=True)
    python = str(home / "bin" / "python")
    (packages,) = home.glob("lib/python*/site-packages")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    command = home / "bin" / "airflow"
    command.write_text(f"#!{python}\nfrom airflow.__main__ import main\n\nmain()\n")
    command.chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "AIRFLOW", "AWS_"))}
    found = run(
        python, "-c", "import airflow_sagemaker_presign as it; print(it.__file__)", cwd=tmp_path, env=environment
    )
    assert Path(found.strip()).is_relative_to(home)
    shown = run(
        python, "-m", "airflow_sagemaker_presign.local.demo", "--once", cwd=tmp_path, env=environment, timeout=300
    )
    assert "opens JupyterLab" in shown
    assert not (tmp_path / ".demo").exists()
