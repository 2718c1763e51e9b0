"""A JupyterLab that does not start is reported, with its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.jupyter.process import JupyterFailed, JupyterProcess
from tests.helpers.notebook_person import Person


def test_a_jupyterlab_that_ends_at_once_is_an_error_that_shows_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JupyterProcess, "_arguments", lambda self: ["--ServerApp.port=no-port"])
    services = LocalServices(folder=tmp_path)
    with pytest.raises(JupyterFailed, match="ended while it was starting") as caught:
        services.start()
    assert "no-port" in str(caught.value)
    # Nothing is left of the attempt: another one in this process is possible.
    with LocalServices(jupyter=False):
        pass


def test_a_jupyterlab_that_does_not_come_up_later_is_a_page_in_words_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LocalServices(folder=tmp_path, notebooks=("ada", "grace")) as local:
        for name in ("ada", "grace"):
            local.sagemaker.set_status(name, "InService")
        people = {name: Person(local, name) for name in ("ada", "grace")}
        assert people["ada"].get("/lab").status_code == 200
        with monkeypatch.context() as patch:
            patch.setattr(JupyterProcess, "_arguments", lambda self: ["--ServerApp.port=no-port"])
            answer = people["grace"].get("/lab")
            assert answer.status_code == 503
            assert "did not start" in answer.text
        assert people["grace"].get("/lab").status_code == 200
        assert people["ada"].get("/lab").status_code == 200
