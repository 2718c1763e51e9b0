"""One real Airflow and one set of local services, shared by all system tests; DEBUG everywhere."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from airflow_sagemaker_presign.local import LocalServices
from airflow_sagemaker_presign.local.demo.airflow_connections import airflow_connections
from airflow_sagemaker_presign.local.demo.airflow_standalone import AirflowStandalone
from tests.helpers.airflow_api import Run, logged_in
from tests.helpers.system_settings import (
    DAG_MARKER,
    DAGS,
    EVENING_IDLE_SECONDS,
    EVENING_WARNING_SECONDS,
    JWT_SECRET,
    MARKER,
    REGION,
    USERS,
    Start,
)

NOTEBOOKS = (
    "research",
    "research-ada",
    "research-grace",
    "research-katherine",
    "started-in-run",
    "ran-before",
    "no-capacity",
    "approved",
    "not-approved",
    *(
        f"launch-{name}"
        for name in ("editors", "named", "stopped", "mapped-0", "mapped-1", "to-stop", "in-the-browser", "elsewhere")
    ),
    *(f"watch-{name}" for name in ("idle", "busy", "kept", "killed", "written")),
)
# A notebook that changes its status within a few seconds meets a race of Airflow's on a busy machine: the scheduler
# fails a task whose trigger fires before it has processed the deferral.
START_SECONDS, STOP_SECONDS = 8, 6


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("system")


@pytest.fixture(scope="session")
def services_log(folder: Path) -> Iterator[Path]:
    """All that the local services log in this process, at DEBUG."""
    path = folder / "services.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    own_clients = ("httpx", "httpcore", "botocore", "urllib3")  # The tests' own; the local services use none of them.
    levels = {"root": logging.DEBUG, **dict.fromkeys(own_clients, logging.WARNING)}
    before = {name: logging.getLogger(name).level for name in levels}
    logging.root.addHandler(handler)
    _set_levels(levels)
    yield path
    _set_levels(before)
    logging.root.removeHandler(handler)
    handler.close()


def _set_levels(levels: dict[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="session")
def minted() -> list[str]:
    """Every token that the local SageMaker mints, delivered or not; filled as it does."""
    return []


@pytest.fixture(scope="session")
def cookies() -> list[str]:
    """Every session cookie that a notebook gave for a link; filled as it does."""
    return []


@pytest.fixture(scope="session")
def local(folder: Path, services_log: Path, minted: list[str], cookies: list[str]) -> Iterator[LocalServices]:
    services = LocalServices(
        start_seconds=START_SECONDS, stop_seconds=STOP_SECONDS, notebooks=NOTEBOOKS, folder=folder / "local"
    )
    tokens = services.sagemaker.tokens
    mint, cookie_of = tokens.mint, tokens.cookie_of

    def mint_and_remember(*args: Any, **kwargs: Any) -> str:
        minted.append(mint(*args, **kwargs))
        return minted[-1]

    def cookie_and_remember(*args: Any) -> str:
        cookies.append(cookie_of(*args))
        return cookies[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "mint", mint_and_remember)
        patch.setattr(tokens, "cookie_of", cookie_and_remember)
        with services:
            yield services


@pytest.fixture(scope="session")
def airflow(folder: Path, local: LocalServices) -> Iterator[AirflowStandalone]:
    dags = shutil.copytree(DAGS, folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    for ours in ("launch_page_dags", "idle_dags"):
        shutil.copytree(
            Path(__file__).parent / ours, dags, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
    evening = dags / "notebooks_idle_evening.py"
    text = evening.read_text().replace("hours=1)", f"seconds={EVENING_IDLE_SECONDS})")
    evening.write_text(text.replace("minutes=15)", f"seconds={EVENING_WARNING_SECONDS})"))
    (dags / "planted.py").write_text(f"from airflow.sdk import DAG\nprint({DAG_MARKER!r})\nDAG('planted')\n")
    environment = {
        **airflow_connections(local.addresses()),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__FAB_LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__CORE__PARALLELISM": "6",
        "AIRFLOW__API_AUTH__JWT_SECRET": JWT_SECRET,
    }
    put_training_data(local)
    with AirflowStandalone(folder / "airflow", dags=dags, env=environment, users=USERS) as airflow:
        yield airflow


def put_training_data(local: LocalServices) -> None:
    """The training data of the example that trains a model; the provider's operator checks for it first."""
    s3 = boto3.client(
        "s3",
        endpoint_url=local.endpoint_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
    s3.create_bucket(Bucket="my-models")
    s3.put_object(Bucket="my-models", Key="churn/train/part-0.csv", Body=b"1,0")


@pytest.fixture(scope="session")
def api(airflow: AirflowStandalone) -> Iterator[httpx.Client]:
    client = logged_in(airflow)
    yield client
    client.close()


@pytest.fixture(scope="session")
def start(airflow: AirflowStandalone, api: httpx.Client) -> Start:
    """Start a run of a DAG, with its params."""
    return partial(Run.start, airflow, api)


@pytest.fixture(scope="session")
def links_while_waiting() -> dict[str, str | None]:
    """The extra links of the run on demand while its task was deferred; filled with the runs."""
    return {}


@pytest.fixture(scope="session")
def runs(
    local: LocalServices,
    airflow: AirflowStandalone,
    api: httpx.Client,
    start: Start,
    links_while_waiting: dict[str, str | None],
) -> dict[str, Run]:
    """
    Every example DAG once, all at the same time; one run meets a lack of capacity, one training job fails.

    Their links live five minutes, so they begin with the first test that checks the messages, and not before.
    """
    # It stays so until it was observed, however fast or slow this machine is.
    local.sagemaker.create_notebook(MARKER, status="Updating", region=REGION)
    local.sagemaker.faults.on_start("no-capacity", "no-capacity")
    runs = {
        "on demand": start(
            "notebook_on_demand", notebook_instance_name=MARKER, recipient="mary@example.com", session_hours=2
        ),
        "trained": start("notebook_after_training", recipient="trained@example.com"),
        "training failed": start(
            "notebook_after_training",
            recipient="training-failed@example.com",
            hyperparameters={"local:outcome": "Failed"},
        ),
        "no capacity": start(
            "notebook_on_demand", notebook_instance_name="no-capacity", recipient="no-capacity@example.com"
        ),
        "morning": Run.of_schedule(airflow, api, "notebook_weekday_morning"),
        "team": start("notebooks_for_a_team"),
    }
    runs["on demand"].wait_for_task("deferred")
    links_while_waiting.update(runs["on demand"].links())
    local.sagemaker.set_status(MARKER, "Stopped", region=REGION)
    return runs


@pytest.fixture(scope="session")
def without_slack(local: LocalServices, runs: dict[str, Run], start: Start) -> dict[str, Run]:
    """Runs on demand that begin after Slack stops accepting messages."""
    for run in runs.values():
        run.end()
    local.sagemaker.set_status("ran-before", "InService", region=REGION)
    local.inbox.slack.fail("not-ok", times=None, error="channel_not_found")
    return {
        "started in run": start(
            "notebook_on_demand", notebook_instance_name="started-in-run", recipient="started-in-run@example.com"
        ),
        "ran before": start(
            "notebook_on_demand", notebook_instance_name="ran-before", recipient="ran-before@example.com"
        ),
    }


@pytest.fixture(scope="session")
def evening(without_slack: dict[str, Run], airflow: AirflowStandalone, api: httpx.Client) -> Run:
    """The evening of that day; the runs without Slack go on meanwhile, with notebooks of their own."""
    return Run.of_schedule(airflow, api, "notebook_every_evening")


@pytest.fixture(scope="session")
def morning_without_slack(evening: Run, start: Start) -> Run:
    """The next morning."""
    evening.end()
    return start("notebook_weekday_morning")


@pytest.fixture(scope="session")
def unsent_by_mail(
    local: LocalServices, without_slack: dict[str, Run], morning_without_slack: Run, start: Start
) -> Run:
    """A run after training whose mail server refuses the message with the link, three times; then it takes mails."""
    for run in (*without_slack.values(), morning_without_slack):
        run.end()
    local.inbox.smtp.fail("550-at-rcpt", times=3)
    return start("notebook_after_training", recipient="unsent@example.com")


@pytest.fixture
def page(browser: Any, request: pytest.FixtureRequest, folder: Path) -> Iterator[Any]:
    """A page of a browser without cookies; when the test fails, its pictures are kept."""
    context = browser.new_context(viewport={"width": 1300, "height": 1000})
    context.set_default_timeout(60_000)
    failures = request.session.testsfailed
    yield context.new_page()
    if request.session.testsfailed > failures:
        for number, shown in enumerate(context.pages):
            picture = folder / f"{request.node.name}-{number}.png"
            shown.screenshot(path=picture)
            print(f"What the browser showed: {picture}")
    context.close()
