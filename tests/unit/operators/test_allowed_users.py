"""Who may open through the launch page: only the word "editors" means all who may edit, and a lost value never does."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_sagemaker_presign.compat import DAG, HAS_LAUNCH_PAGE
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator as Link
from airflow_sagemaker_presign.validation import rendered_allowed_users_of
from tests.helpers.notifiers import Silent


def make(**kwargs: Any) -> Link:
    return Link(**{"task_id": "link", "notebook_instance_name": "research", "notifiers": Silent(), **kwargs})


@pytest.fixture(params=[True, False], ids=["native", "text"])
def dag(request: pytest.FixtureRequest) -> DAG:
    return DAG("d", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=request.param)


def rendered(dag: DAG, given: Any, who: Any) -> Any:
    task: Any = make(dag=dag, allowed_users=given).prepare_for_execution()
    task.render_template_fields({"params": {"who": who}, "dag": dag, "ti": SimpleNamespace(map_index=-1)})
    return task.allowed_users


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, r"allowed_users=None: must be 'editors', or a non-empty list of"),
        ([], r"allowed_users=\[\]: must be 'editors', or a non-empty list of Airflow user names or e-mail addresses"),
        ((), r"allowed_users=\(\): must be"),
        ("", r"allowed_users='': must be 'editors', or a non-empty list of"),
        ("ada", r"allowed_users='ada': must be 'editors', or a non-empty list of"),
        (b"ada", r"allowed_users=b'ada': must be 'editors', or a non-empty list of"),
        ({"ada"}, r"allowed_users={'ada'}: must be 'editors', or a non-empty list of"),
        ({"ada": 1}, r"allowed_users=.*: must be 'editors', or a non-empty list of"),
        (True, r"allowed_users=True: must be 'editors', or a non-empty list of"),
        (lambda context, jinja_env: None, r"allowed_users=.*: must be 'editors', or a non-empty list of"),
        (["ada", ""], r"allowed_users\[1\]='': must be a user name or an e-mail address and nothing else"),
        ([None], r"allowed_users\[0\]=None: must be"),
        (["None"], r"allowed_users\[0\]='None': must be"),
        ([["ada"]], r"allowed_users\[0\]=\['ada'\]: must be"),
        ([" ada"], r"allowed_users\[0\]=' ada': must be"),
        (["Ada <ada@example.com>"], r"allowed_users\[0\]='Ada <ada@example.com>': must be .* and nothing else"),
        (["ada\nbob"], r"allowed_users\[0\]='ada\\nbob': must be"),
        (["ada\u2028"], r"allowed_users\[0\]=.*: must be"),
    ],
)
def test_allowed_users_without_a_name_raise_an_error_when_the_dag_is_parsed(given: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(allowed_users=given)


def test_left_out_it_is_all_who_may_edit_the_task() -> None:
    assert make().allowed_users == "editors"
    assert make(allowed_users="editors").allowed_users == "editors"


@pytest.mark.parametrize(
    ("given", "who", "users"),
    [
        (["ada", "bob@example.com"], None, ["ada", "bob@example.com"]),
        (["ada", "{{ params.who }}"], "bob@example.com", ["ada", "bob@example.com"]),
        (("{{ params.who }}",), "Ada Lovelace", ["Ada Lovelace"]),
        ("{{ params.who }}", "ada", ["ada"]),
        ("{{ params.who }}", "editors", "editors"),
        ("editors", None, "editors"),
    ],
)
def test_templates_are_rendered_to_a_list(dag: DAG, given: Any, who: Any, users: list[str] | str) -> None:
    assert rendered(dag, given, who) == users


@pytest.mark.skipif(
    not HAS_LAUNCH_PAGE,
    reason="this Airflow has no launch page, and leaves in place what renders to nothing",
)
@pytest.mark.parametrize("who", [None, [], "", " ", "None", [None], [""], "Ada <ada@x>", ["ada", "<b>"], "{{ x }}"])
@pytest.mark.parametrize("given", ["{{ params.who }}", ["{{ params.who }}"]])
def test_a_template_without_a_user_ends_the_task_before_airflow_stores_its_fields(
    dag: DAG, given: Any, who: Any
) -> None:
    """The launch page reads the stored fields: they decide who may open it."""
    with pytest.raises(ValueError, match="allowed_users"):
        rendered(dag, given, who)


def test_a_list_from_a_template_needs_native_objects() -> None:
    text, native = (
        DAG("d", schedule=None, start_date=datetime(2026, 1, 1), render_template_as_native_obj=native)
        for native in (False, True)
    )
    assert rendered(native, "{{ params.who }}", ["ada", "bob"]) == ["ada", "bob"]
    with pytest.raises(ValueError, match=r"allowed_users\[0\]=.*render_template_as_native_obj=True"):
        rendered(text, "{{ params.who }}", ["ada", "bob"])


def test_a_list_longer_than_airflow_keeps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    users = [f"person.number.{number}@example.com" for number in range(20)]
    assert rendered_allowed_users_of(users) == users
    monkeypatch.setenv("AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH", "500")
    with pytest.raises(
        ValueError, match=r"no longer than 500 characters in all \(\[core\] max_templated_field_length\)"
    ):
        rendered_allowed_users_of(users)


def test_a_task_whose_users_were_never_rendered_does_not_run(context: dict[str, Any]) -> None:
    operator: Any = make(allowed_users="{{ params.who }}")
    with pytest.raises(ValueError, match="allowed_users"):
        operator.execute(context)


def mapped(dag: DAG, **kwargs: Any) -> Any:
    with dag:
        return Link.partial(task_id="link", notifiers=[Silent()], **kwargs)


def test_a_mapped_task_has_its_own_users(dag: DAG) -> None:
    task = mapped(dag, notebook_instance_name="r").expand(allowed_users=[["ada"], ["bob"]])
    users = ["ada"]
    # The same object: Airflow recognizes rendered values by identity, and renders a copy again, with its user input.
    assert task.unmap({"allowed_users": users}).allowed_users is users


@pytest.mark.parametrize("users", [None, [], [None], "", "ada", [""]])
def test_a_mapped_task_with_missing_users_is_not_open_to_all(dag: DAG, users: Any) -> None:
    task = mapped(dag).expand_kwargs([{"notebook_instance_name": "r", "allowed_users": users}])
    with pytest.raises(ValueError, match="allowed_users"):
        task.unmap({"notebook_instance_name": "r", "allowed_users": users})
    assert task.unmap({"notebook_instance_name": "r"}).allowed_users == "editors"


def test_all_that_the_launch_page_reads_is_plain_json_and_is_in_the_serialized_dag(dag: DAG) -> None:
    with dag:
        first = make(task_id="first")
        make(session_expiration_duration=timedelta(hours=8), allowed_users=["ada"], verify="/etc/ca.pem")
        make(task_id="later", allowed_users=first.output)
    task: Any = dag.get_task("link")
    assert {name: getattr(task, name) for name in Link.template_fields} == {
        "notebook_instance_name": "research",
        "aws_conn_id": "aws_default",
        "region_name": None,
        "verify": "/etc/ca.pem",
        "session_expiration_duration": 28800,
        "recipient": None,
        "landing": "lab",
        "allowed_users": ["ada"],
        "launch_page_valid_for": 604800,
    }
    assert dag.get_task("later").upstream_task_ids == {"first"}
    kept = json.loads(json.dumps(serialized(dag)))["dag"]["tasks"]
    link = next(task["__var"] for task in kept if task["__var"]["task_id"] == "link")
    assert (link["allowed_users"], link["session_expiration_duration"]) == (["ada"], 28800)
    assert "Open notebook" in str(link["_operator_extra_links"]) or "LaunchLink" in str(link["_operator_extra_links"])


def serialized(dag: DAG) -> Any:
    from airflow.serialization import serialized_objects

    name = "DagSerialization" if hasattr(serialized_objects, "DagSerialization") else "SerializedDAG"
    return getattr(serialized_objects, name).to_dict(dag)
