from __future__ import annotations

import subprocess
import sys

import pytest

from airflow_sagemaker_presign.local.__main__ import parse
from airflow_sagemaker_presign.local.jupyter.child import without_tokens


def test_the_defaults_are_those_that_the_help_names(capsys: pytest.CaptureFixture[str]) -> None:
    options = parse([])
    assert (options.port, options.smtp_port, options.start_seconds, options.stop_seconds) == (5100, 0, 10, 5)
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for word in ("--ready-file", "no-capacity", "127.0.0.1", "default: 5100"):
        assert word in shown


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--start-seconds", "-1"], ["--host", "0.0.0.0"]])
def test_wrong_arguments_end_with_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "logged"),
    [
        ("302 GET /?authToken=abc.def&view=lab (@127.0.0.1) 4ms", "302 GET /?[hidden] (@127.0.0.1) 4ms"),
        ("403 GET /?%61uth%54oken=abc 1ms", "403 GET /?[hidden] 1ms"),
        ("200 GET /lab?reset=1 1ms", "200 GET /lab?reset=1 1ms"),
    ],
)
def test_a_token_is_cut_off_a_line_of_the_log_however_it_is_written(line: str, logged: str) -> None:
    assert without_tokens(line) == logged


def test_importing_the_local_room_loads_neither_airflow_nor_moto() -> None:
    code = (
        "import sys, airflow_sagemaker_presign.local, airflow_sagemaker_presign.local.jupyter.identity; "
        "print([m for m in sys.modules if m.split('.')[0] in ('airflow', 'moto', 'boto3')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = "import sys, airflow_sagemaker_presign.local.services; print('airflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
