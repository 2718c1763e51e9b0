"""After all the runs, the failed ones too, with DEBUG everywhere: no link is written down anywhere."""

from __future__ import annotations

import base64
import gzip
import html
import json
import quopri
import re
import sqlite3
import urllib.parse
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run
from tests.helpers.messages import urls_in
from tests.helpers.notebook_person import Person
from tests.helpers.secret_search import columns, files, found_in
from tests.helpers.system_settings import DAG_MARKER, MARKER, REGION, Start

TOKEN = ".eJxFzEEKgCAQAMC_7LkgI6_EhsOBdOsfWIDiquixBFXg60EyXhjyBg.M0h+p/7qXb2Zk=4Vt9sWc1LrYdJf8uGxTnAeIo5KvPmQw"
URL = f"https://research.notebook.eu-central-1.sagemaker.aws?authToken={TOKEN}&view=lab"
SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda url: url,
    "URL-quoted": lambda url: urllib.parse.quote_from_bytes(url, safe="").encode(),
    "URL-quoted twice": lambda url: urllib.parse.quote(urllib.parse.quote_from_bytes(url, safe="")).encode(),
    "HTML-escaped": lambda url: html.escape(url.decode()).encode(),
    "as JSON": lambda url: json.dumps(url.decode()).replace("/", "\\/").replace("&", "\\u0026").encode(),
    "as JSON in JSON": lambda url: json.dumps(json.dumps({"blocks": [url.decode()]})).encode(),
    "quoted-printable": quopri.encodestring,
    "in base64": lambda url: b"xx" + base64.b64encode(url) + b"xx",
    "in base64, one further": lambda url: base64.b64encode(b"-" + url),
    "in base64, two further": lambda url: base64.b64encode(b"--" + url),
    "in URL-safe base64": base64.urlsafe_b64encode,
    "in hexadecimal": lambda url: url.hex().encode(),
    "only its second half": lambda url: url[len(url) // 2 :],
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_search_finds_a_link_however_it_is_spelled(spelling: str, tmp_path: Path) -> None:
    spelled = SPELLINGS[spelling](URL.encode())
    (tmp_path / "task.log").write_bytes(b"before " + spelled + b" after")
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        database.execute("CREATE TABLE xcom (id INTEGER, value BLOB, note TEXT)")
        database.execute("INSERT INTO xcom VALUES (1, ?, NULL)", (spelled,))
    assert set(found_in([TOKEN], files(tmp_path))) == {"task.log", "airflow.db"}
    assert found_in([TOKEN], columns(tmp_path / "airflow.db")) == ["xcom.value"]


@pytest.mark.parametrize("pack", [zlib.compress, gzip.compress], ids=["zlib", "gzip"])
def test_the_search_finds_a_link_in_a_value_that_is_packed(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    packed = pack(json.dumps({"url": URL}).encode())
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        database.execute("CREATE TABLE dag (blob BLOB, text TEXT)")
        database.execute(
            "INSERT INTO dag VALUES (?, ?)", (packed, json.dumps({"data": base64.b64encode(packed).decode()}))
        )
    assert set(found_in([TOKEN], columns(tmp_path / "airflow.db"))) == {"dag.blob", "dag.text"}


@pytest.fixture(scope="module")
def all_ended(
    local: LocalServices,
    runs: dict[str, Run],
    evening: Run,
    without_slack: dict[str, Run],
    morning_without_slack: Run,
    unsent_by_mail: Run,
    start: Start,
) -> None:
    """All runs of the day, one that is idle, and one link opened here: other tests need not have run before."""
    for run in (*runs.values(), evening, *without_slack.values(), morning_without_slack, unsent_by_mail):
        run.end()
    local.sagemaker.set_status(MARKER, "InService", region=REGION)  # The evening stopped it.
    Person(local, MARKER, region=REGION).get("/lab")
    local.sagemaker.set_status("watch-written", "InService", region=REGION)
    watched = start("watched", notebook_instance_name="watch-written", recipient="watch-written@example.com")
    assert watched.end() == "success"


def lines(path: Path, *parts: str) -> bool:
    return any(all(part in line for part in parts) for line in path.read_text(errors="replace").splitlines())


@pytest.mark.usefixtures("all_ended")
def test_the_search_sees_all_that_airflow_writes(airflow: AirflowStandalone) -> None:
    in_files = set(found_in([MARKER], files(airflow.home)))
    assert {"airflow.db", "console.log"} <= in_files
    assert any(re.search(r"task_id=notebook_link/attempt=1\.log$", name) for name in in_files)
    assert any(re.search(r"task_id=notebook_link/attempt=1\.log\.trigger\.\d+\.log$", name) for name in in_files)
    in_columns = set(found_in([MARKER], columns(airflow.home / "airflow.db")))
    assert {"dag_run.conf", "xcom.value", "rendered_task_instance_fields.rendered_fields"} <= in_columns
    in_dag_logs = [name for name in found_in([DAG_MARKER], files(airflow.home)) if name.startswith("logs/dag_proc")]
    assert in_dag_logs


@pytest.mark.usefixtures("all_ended")
def test_everything_is_logged_at_debug(airflow: AirflowStandalone) -> None:
    for process in ("scheduler", "triggerer", "dag-processor", "api-server"):
        assert lines(airflow.console, f"{process} ", "[debug "), process
    # There are two api-servers, one for tasks and one for people.
    assert lines(airflow.console, "api-server ", "[debug ", "[airflow.api_fastapi.execution_api.")
    assert lines(airflow.console, "api-server ", "path=/api/v2/")
    (log, *_) = (airflow.home / "logs" / "dag_id=notebook_on_demand").rglob("attempt=1.log")
    assert lines(log, '"level":"debug"', "botocore.parsers")
    # The poller of the triggerer serves all tasks, so what its client says is in no task's log.
    assert lines(airflow.console, "triggerer ", "[botocore.parsers]")
    # Whatever botocore logs of an answer is there; of the one answer with the link it is not.
    assert lines(airflow.console, "NotebookInstanceArn", "[botocore.parsers]")


@pytest.mark.usefixtures("all_ended")
def test_no_link_is_written_down_anywhere(
    airflow: AirflowStandalone, local: LocalServices, minted: list[str], folder: Path
) -> None:
    sent = [url for message in local.inbox.messages() for url in urls_in(message)]
    tokens = {urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["authToken"][0] for url in sent}
    assert len(tokens) >= 8
    assert tokens < set(minted), "those that Slack and the mail server refused were minted too"
    assert found_in(minted, columns(airflow.home / "airflow.db")) == []
    assert found_in(minted, files(folder)) == []


@pytest.mark.usefixtures("all_ended")
def test_no_cookie_of_a_look_is_written_down_anywhere(
    airflow: AirflowStandalone, cookies: list[str], folder: Path
) -> None:
    (log, *_) = (airflow.home / "logs" / "dag_id=watched").rglob("attempt=1.log")
    assert lines(log, "will be stopped at")
    # One look to warn, one in the triggerer and one in the worker before the stop.
    assert len(cookies) >= 3
    assert found_in(cookies, columns(airflow.home / "airflow.db")) == []
    assert found_in(cookies, files(folder)) == []


@pytest.mark.usefixtures("all_ended")
def test_no_half_of_a_link_is_written_down_either(folder: Path) -> None:
    after_its_name = re.compile(rb"authToken(?:=|%3D|%253D|&#61;|\\u003d)(?!\*\*\*)", re.IGNORECASE)
    offenders = [
        name for name, values in files(folder).items() if any(after_its_name.search(value) for value in values)
    ]
    assert offenders == []


@pytest.mark.usefixtures("all_ended")
def test_the_local_services_do_not_log_a_link_either(
    local: LocalServices, services_log: Path, minted: list[str]
) -> None:
    assert local.jupyter is not None
    assert f"A presigned URL of {MARKER} opened a session." in services_log.read_text()
    assert "DEBUG" in services_log.read_text()
    assert "Jupyter Server" in local.jupyter.log.read_text()
    logs = {path.name: [path.read_bytes()] for path in (services_log, local.jupyter.log)}
    assert found_in(minted, logs) == []
