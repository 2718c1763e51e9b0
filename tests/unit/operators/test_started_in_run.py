"""Which notebook instances a run's clean-up stops: those that the run started, cleared or not, and no others."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import AIRFLOW_VERSION, DAG, AirflowSkipException, TaskGroup
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.links import SageMakerNotebookConsoleLink
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator as Link,
    SageMakerStopNotebookInstanceOperator as Stop,
)
from airflow_sagemaker_presign.operators.started_in_run import RUN_BEGAN_KEY
from tests.helpers.notifiers import Silent
from tests.helpers.scripted_sagemaker import ARN, Clock, Script

ARN_KEY = SageMakerNotebookConsoleLink.key
BEGAN = datetime(2026, 3, 2, 7, 0, 10, tzinfo=UTC)
STARTED = 20
"""The second of BEGAN's minute in which the notebook instance changed last."""


def link(task_id: str = "link", name: str = "research") -> Link:
    return Link(task_id=task_id, notebook_instance_name=name, notifiers=[Silent()])


def stop(task_id: str = "stop", name: str = "research") -> Stop:
    return Stop(task_id=task_id, notebook_instance_name=name, only_if_started_in_run=True, deferrable=False)


def run_of(began: datetime, cleared: int = 0, **dates: Any) -> Any:
    """Make a DAG run; after it was cleared, its start_date is that of the second time."""
    started = began if not cleared else began + timedelta(hours=3)
    if AIRFLOW_VERSION >= (3, 0):
        dates = {"run_after": began - timedelta(seconds=5), **dates}
    else:
        due = dates.pop("run_after", began - timedelta(seconds=5))
        dates = {"logical_date": due, "data_interval_end": due, **dates}
    return SimpleNamespace(start_date=started, clear_number=cleared, **dates)


@pytest.fixture
def stops(
    hook: SageMakerNotebookInstanceHook, clock: Clock, sagemaker: Script, context: dict[str, Any]
) -> Callable[..., bool]:
    """Run a stop against a notebook instance that is InService since STARTED; whether it stops it."""

    def stops(operator: Any, dag_run: Any, xcoms: dict[tuple[str, str], list[Any]], described: bool = True) -> bool:
        operator.__dict__["hook"] = hook
        operator._runtime = clock
        context["dag_run"] = dag_run
        context["ti"].xcom_pull = lambda task_ids, key: [
            value for task_id in task_ids for value in xcoms.get((task_id, key), [None])
        ]
        if described:
            sagemaker.describe("InService", modified=STARTED)
        try:
            operator._skip_unless_started_in_run(context)
        except AirflowSkipException:
            return False
        return True

    return stops


def chain(*tasks: Any) -> Any:
    with DAG("evenings", schedule=None) as dag:
        made = [task() for task in tasks]
        for before, after in itertools.pairwise(made):
            before >> after
    assert len(dag.tasks) == len(tasks)
    return made[-1]


def begun(task_id: str = "link", arn: str = ARN) -> dict[tuple[str, str], list[Any]]:
    return {(task_id, ARN_KEY): [arn]}


def with_memory(task_id: str = "link", began: datetime = BEGAN) -> dict[tuple[str, str], list[Any]]:
    return {**begun(task_id), (task_id, RUN_BEGAN_KEY): [began.isoformat()]}


LATER = BEGAN + timedelta(seconds=30)
LONG_AGO = BEGAN - timedelta(days=30)


@pytest.mark.parametrize(
    ("dag_run", "xcoms", "stopped"),
    [
        (run_of(BEGAN), with_memory(), True),
        (run_of(LATER), with_memory(began=LATER), False),
        (run_of(BEGAN, cleared=1), with_memory(), True),
        (run_of(BEGAN, cleared=1), begun(), True),
        (run_of(LATER, cleared=2), with_memory(began=LATER), False),
        (run_of(LATER, run_after=LONG_AGO), with_memory(began=LATER), False),
        (run_of(LATER, cleared=1, run_after=LONG_AGO), with_memory(began=LATER), False),
        (run_of(LATER, cleared=1, run_after=LONG_AGO), begun(), True),
        (run_of(BEGAN, cleared=1, run_after=BEGAN + timedelta(days=400)), begun(), False),
    ],
    ids=[
        "a run that started it",
        "a run that found it running",
        "cleared after the link",
        "cleared with the link",
        "cleared, and it ran before the run",
        "a run that was long overdue, and found it running",
        "the same, cleared after the link",
        "the same, cleared with the link: nobody knows any more",
        "a logical date in the future",
    ],
)
def test_a_notebook_that_changed_since_the_run_first_began_counts_as_the_runs(
    stops: Callable[..., bool], dag_run: Any, xcoms: Any, stopped: bool
) -> None:
    assert stops(chain(link, stop), dag_run, xcoms) is stopped


def test_a_link_that_is_not_directly_upstream_counts(stops: Callable[..., bool]) -> None:
    work = lambda: Stop(task_id="work", notebook_instance_name="other")  # noqa: E731
    assert stops(chain(link, work, stop), run_of(BEGAN), begun())
    assert not stops(chain(link, work, stop), run_of(BEGAN), {}, described=False)


def test_a_link_to_another_notebook_instance_says_nothing_about_this_one(stops: Callable[..., bool]) -> None:
    other = lambda: link("other", "other")  # noqa: E731
    assert stops(chain(other, stop), run_of(BEGAN), {})
    assert stops(chain(other, stop), run_of(BEGAN), begun("other", ARN.replace("research", "other")))
    assert not stops(chain(other, link, stop), run_of(BEGAN), begun("other", "arn:x/other"), described=False)


@pytest.mark.parametrize("there", [":us-east-1:", ":cn-north-1:"])
def test_a_notebook_instance_of_the_same_name_elsewhere_is_another_one(stops: Callable[..., bool], there: str) -> None:
    two = {**begun("other", ARN.replace(":eu-central-1:", there))}
    assert not stops(chain(lambda: link("other"), link, stop), run_of(BEGAN), two, described=False)


def test_a_stop_upstream_starts_nothing(stops: Callable[..., bool]) -> None:
    assert stops(chain(lambda: stop("first"), stop), run_of(BEGAN), {})


def test_an_instance_of_a_mapped_link_counts_for_its_own_notebook_instance(stops: Callable[..., bool]) -> None:
    def mapped() -> Any:
        return Link.partial(task_id="link", notifiers=[Silent()]).expand(notebook_instance_name=["other", "research"])

    other, both = ["arn:x/other"], ["arn:x/other", ARN]
    assert stops(chain(mapped, stop), run_of(BEGAN), {("link", ARN_KEY): both})
    assert not stops(chain(mapped, stop), run_of(BEGAN), {("link", ARN_KEY): other}, described=False)


def test_a_link_in_a_task_group_counts(stops: Callable[..., bool]) -> None:
    with DAG("evenings", schedule=None):
        with TaskGroup("people") as group:
            inner = link()
        last = stop()
        group >> last
    assert stops(last, run_of(BEGAN), begun(inner.task_id))
    assert not stops(last, run_of(BEGAN), {}, described=False)


def test_a_task_writes_down_when_its_run_first_began_and_nothing_once_that_is_forgotten(
    hook: SageMakerNotebookInstanceHook, clock: Clock, sagemaker: Script, context: dict[str, Any]
) -> None:
    for cleared, written in ((0, BEGAN.isoformat()), (1, None)):
        operator = Stop(task_id="stop", notebook_instance_name="research")
        operator.__dict__["hook"] = hook
        operator._runtime = clock
        context["dag_run"] = run_of(BEGAN, cleared)
        context["ti"].xcoms.clear()
        sagemaker.describe("Stopped")
        operator.execute(context)  # type: ignore[arg-type]
        assert context["ti"].xcoms.get(RUN_BEGAN_KEY) == written


def test_airflow_passes_to_a_task_what_clearing_keeps() -> None:
    if AIRFLOW_VERSION >= (3, 0):
        from airflow.sdk.api.datamodels._generated import DagRun

        assert {"clear_number", "run_after", "start_date"} <= set(DagRun.model_fields)
    else:
        from airflow.models import DagRun as OldDagRun

        assert all(hasattr(OldDagRun, name) for name in ("clear_number", "logical_date", "data_interval_end"))
