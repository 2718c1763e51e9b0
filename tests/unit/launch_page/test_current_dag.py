"""What the latest version of a DAG says of who may open, out of what Airflow keeps of it."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import DAG, HAS_LAUNCH_PAGE, BaseOperator
from airflow_sagemaker_presign.launch_page.current_dag import tasks_of
from airflow_sagemaker_presign.operators.sagemaker_notebook import (
    SageMakerPresignedNotebookUrlOperator,
    SageMakerStopNotebookInstanceOperator,
)
from tests.helpers.notifiers import Silent

pytestmark = pytest.mark.skipif(not HAS_LAUNCH_PAGE, reason="there is no launch page before Airflow 3.1.1")


def serialized(dag: DAG) -> dict[str, Any]:
    serialization: Any = importlib.import_module("airflow.serialization.serialized_objects")
    # The newer name first.
    serialize = getattr(serialization, "DagSerialization", None) or serialization.SerializedDAG
    data: dict[str, Any] = serialize.to_dict(dag)
    return data


def plain(**arguments: Any) -> Any:
    return SageMakerPresignedNotebookUrlOperator(
        task_id="link", notebook_instance_name="research", notifiers=Silent(), link="launch_page", **arguments
    )


def mapped(over: dict[str, Any], **arguments: Any) -> Any:
    return SageMakerPresignedNotebookUrlOperator.partial(
        task_id="link", notifiers=Silent(), link="launch_page", **arguments
    ).expand(**over)


NOTEBOOKS = {"notebook_instance_name": ["research", "other"]}


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda: plain(), (None,)),
        (lambda: plain(allowed_users="editors"), (None,)),
        (lambda: mapped(NOTEBOOKS, allowed_users="editors"), (None,)),
        (lambda: plain(allowed_users=["ada", "grace@example.com"]), (("ada", "grace@example.com"),)),
        (lambda: plain(allowed_users="{{ params.users }}"), ()),
        (lambda: plain(allowed_users=["ada", "{{ params.user }}"]), ()),
        (lambda: plain(allowed_users=["{% if true %}ada{% endif %}"]), ()),
        (lambda: mapped(NOTEBOOKS), (None,)),
        (lambda: mapped(NOTEBOOKS, allowed_users=["ada"]), (("ada",),)),
        (lambda: plain(allowed_users=("ada", "grace")), (("ada", "grace"),)),
        (lambda: mapped(NOTEBOOKS, allowed_users=("ada", "grace")), (("ada", "grace"),)),
        (lambda: mapped(NOTEBOOKS, allowed_users=("ada", "{{ params.user }}")), ()),
        (lambda: mapped(NOTEBOOKS, allowed_users="{{ params.users }}"), ()),
        (lambda: mapped({"allowed_users": [["ada"], ["grace"]]}, notebook_instance_name="research"), ()),
        (
            lambda: SageMakerPresignedNotebookUrlOperator.partial(
                task_id="link", notifiers=Silent(), link="launch_page"
            ).expand_kwargs([{"notebook_instance_name": "research", "allowed_users": ["ada"]}]),
            (),
        ),
        (lambda: SageMakerStopNotebookInstanceOperator(task_id="link", notebook_instance_name="research"), (None,)),
        (lambda: BaseOperator(task_id="link"), ()),
    ],
)
def test_the_rule_of_a_task(make: Any, rule: Any) -> None:
    with DAG("mornings") as dag:
        make()
    assert tasks_of(serialized(dag)) == {"link": rule}


@pytest.mark.parametrize("make", [plain, lambda: mapped(NOTEBOOKS)])
@pytest.mark.parametrize(
    ("users", "rule"),
    [(["ada"], (("ada",),)), (("ada",), (("ada",),)), ("editors", (None,)), ("{{ params.users }}", ())],
)
def test_names_that_the_dag_gives_to_all_its_tasks(make: Any, users: Any, rule: Any) -> None:
    with DAG("mornings", default_args={"allowed_users": users}) as dag:
        make()
    assert tasks_of(serialized(dag)) == {"link": rule}


@pytest.mark.parametrize("written", [{}, {"allowed_users": None}])
def test_a_dag_that_an_earlier_release_serialized_lets_in_all_who_may_edit_the_task(written: dict[str, None]) -> None:
    """There the default was None, which Airflow leaves out of a serialized DAG."""
    with DAG("mornings") as dag:
        plain()
    data = serialized(dag)
    task = data["dag"]["tasks"][0]["__var"]
    task.pop("allowed_users", None)
    task.update(written)
    assert tasks_of(data) == {"link": (None,)}


def test_a_tasks_own_names_go_before_those_that_the_dag_gives() -> None:
    with DAG("mornings", default_args={"allowed_users": ["ada"], "retries": 1}) as dag:
        mapped(NOTEBOOKS, allowed_users=["grace"])
    assert tasks_of(serialized(dag)) == {"link": (("grace",),)}


@pytest.mark.parametrize(("make", "rule"), [(plain, (("ada",),)), (lambda: mapped(NOTEBOOKS), ())])
def test_names_that_a_group_gives_to_mapped_tasks_are_known_to_a_run_only(make: Any, rule: Any) -> None:
    from airflow_sagemaker_presign.compat import TaskGroup

    names: Any = {"allowed_users": ["ada"]}
    with DAG("mornings") as dag, TaskGroup("group", prefix_group_id=False, default_args=names):
        make()
    assert tasks_of(serialized(dag)) == {"link": rule}


def test_names_longer_than_airflow_keeps_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH", "20")
    with DAG("mornings") as dag:
        plain(allowed_users=["ada.lovelace@example.com", "grace.hopper@example.com"])
    assert tasks_of(serialized(dag)) == {"link": ()}


def test_tasks_of_groups_are_there_too() -> None:
    from airflow_sagemaker_presign.compat import TaskGroup

    with DAG("mornings") as dag, TaskGroup("group"):
        plain(allowed_users=["ada"])
    assert tasks_of(serialized(dag)) == {"group.link": (("ada",),)}


def test_names_that_another_task_says_are_known_to_a_run_only() -> None:
    from airflow.sdk import task, task_group

    with DAG("mornings") as dag:

        @task
        def on_call() -> list[str]:
            return ["ada"]

        @task_group
        def for_each(users: Any) -> None:
            plain(allowed_users=users)

        SageMakerPresignedNotebookUrlOperator(
            task_id="of_xcom",
            notebook_instance_name="research",
            notifiers=Silent(),
            link="launch_page",
            allowed_users=on_call(),  # type: ignore[arg-type]
        )
        for_each.expand(users=[["ada"], ["grace"]])
    assert tasks_of(serialized(dag)) == {"on_call": (), "of_xcom": (), "for_each.link": ()}
