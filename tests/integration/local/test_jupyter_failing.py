"""A JupyterLab that does not come up is said so, with its log."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.jupyter.process import JupyterFailed, JupyterProcess


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
