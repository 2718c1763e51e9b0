"""Every name that was public before still works in this release, and says what to write instead."""

from __future__ import annotations

import ast
import importlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import airflow_sagemaker_presign
from airflow_sagemaker_presign import compat, exceptions, links
from airflow_sagemaker_presign.compat import DAG, BaseNotifier, BaseOperatorLink
from airflow_sagemaker_presign.delivery import send_errors
from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookInstanceHook
from airflow_sagemaker_presign.operators.sagemaker_notebook import SageMakerPresignedNotebookUrlOperator as Link
from tests.helpers.scripted_sagemaker import Clock, Script

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_sagemaker_presign"
LAUNCH_URL = "https://airflow.example.com/sagemaker-notebooks/mornings/manual__1/notebook"

MODULE_NAMES = {
    "hooks.sagemaker_notebook.SageMakerNotebookHook": "hooks.sagemaker_notebook.SageMakerNotebookInstanceHook",
    "exceptions.NotebookInstanceError": "exceptions.WorkspaceError",
    "exceptions.NotebookInstanceAccessDenied": "exceptions.SageMakerAccessDenied",
    "exceptions.NotebookUrlDeliveryError": "exceptions.LinkDeliveryError",
}
PUBLIC_MODULES = (
    "exceptions",
    "hooks.sagemaker_notebook",
    "links",
    "operators.sagemaker_notebook",
    "triggers.sagemaker_notebook",
)


class Recorder(BaseNotifier):
    template_fields = ("text", "more")

    def __init__(self, text: str = "", more: Any = None) -> None:
        super().__init__()
        self.text, self.more = text, more
        self.sent: list[str] = []

    def notify(self, context: Any) -> None:
        self.sent.append(self.text)


@pytest.fixture(autouse=True)
def launch_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """An Airflow with a launch page, whichever runs the tests."""
    monkeypatch.setattr(compat, "HAS_LAUNCH_PAGE", True)
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    monkeypatch.setattr("airflow_sagemaker_presign.compat.mask_secret", lambda *_: None, raising=False)


def ours(raised: Iterable[warnings.WarningMessage]) -> list[warnings.WarningMessage]:
    """Leave out what Airflow warns of."""
    return [warning for warning in raised if "will be removed in the next minor release" in str(warning.message)]


def make(**arguments: Any) -> Any:
    return Link(**{"task_id": "link", "notebook_instance_name": "research", "notifiers": Recorder(), **arguments})


@pytest.mark.parametrize(("old", "new"), MODULE_NAMES.items())
def test_an_old_module_name_is_the_new_one_with_a_warning_at_the_import(old: str, new: str) -> None:
    module, _, name = f"{PACKAGE}.{old}".rpartition(".")
    with pytest.warns(DeprecationWarning, match="is deprecated") as raised:
        found = getattr(importlib.import_module(module), name)
    assert found is getattr(importlib.import_module(module), new.rpartition(".")[2])
    (warning,) = ours(raised)
    assert str(warning.message) == (
        f"{PACKAGE}.{old} is deprecated and will be removed in the next minor release; use {PACKAGE}.{new}."
    )
    assert warning.filename == __file__


def test_from_import_of_an_old_name_warns_once_with_the_importing_line() -> None:
    with pytest.warns(DeprecationWarning, match="use .*SageMakerNotebookInstanceHook") as raised:
        from airflow_sagemaker_presign.hooks.sagemaker_notebook import SageMakerNotebookHook
    assert SageMakerNotebookHook is SageMakerNotebookInstanceHook
    assert [warning.filename for warning in ours(raised)] == [__file__]


def test_a_name_that_never_was_is_an_ordinary_error() -> None:
    with pytest.raises(AttributeError, match=r"module '.*exceptions' has no attribute 'NoSuchError'"):
        exceptions.NoSuchError  # noqa: B018


@pytest.mark.parametrize(
    ("old", "attribute", "value", "new"),
    [
        ({"door_open_for": timedelta(hours=1)}, "launch_page_valid_for", 3600, "launch_page_valid_for="),
        ({"door_open_for": 60}, "launch_page_valid_for", 60, "launch_page_valid_for="),
        ({"link": "door"}, "link", "launch_page", "link='launch_page'"),
    ],
)
def test_an_old_parameter_still_works(old: dict[str, Any], attribute: str, value: object, new: str) -> None:
    with pytest.warns(DeprecationWarning, match="is deprecated") as raised:
        operator = make(**old)
    assert getattr(operator, attribute) == value
    (warning,) = ours(raised)
    assert str(warning.message).endswith(f" is deprecated and will be removed in the next minor release; use {new}.")
    # Airflow stands between the DAG file and the operator.
    assert warning.filename == __file__


def test_an_old_parameter_still_works_in_default_args_and_in_a_mapped_task() -> None:
    with DAG("d", schedule=None, start_date=datetime(2026, 1, 1), default_args={"door_open_for": 60}):
        with pytest.warns(DeprecationWarning, match="use launch_page_valid_for="):
            assert make().launch_page_valid_for == 60
        mapped: Any = Link.partial(task_id="mapped", notifiers=[Recorder()], door_open_for=30).expand(
            notebook_instance_name=["research"]
        )
    with pytest.warns(DeprecationWarning, match="use launch_page_valid_for="):
        assert mapped.unmap({"notebook_instance_name": "research"}).launch_page_valid_for == 30


@pytest.mark.parametrize("new", [timedelta(days=1), timedelta(days=7)])
def test_a_parameter_under_both_names_is_an_error(new: timedelta) -> None:
    with pytest.raises(ValueError, match="door_open_for is the old name of launch_page_valid_for, and both were given"):
        make(door_open_for=60, launch_page_valid_for=new)


def test_an_old_parameter_is_checked_as_the_new_one_is() -> None:
    with (
        pytest.warns(DeprecationWarning, match="use launch_page_valid_for="),
        pytest.raises(ValueError, match="launch_page_valid_for=0: must be a timedelta"),
    ):
        make(door_open_for=0)


def test_none_as_allowed_users_is_refused_with_the_word_to_write() -> None:
    with pytest.raises(ValueError, match="allowed_users=None: must be 'editors', or a non-empty list"):
        make(allowed_users=None)


@pytest.mark.parametrize(
    ("notifier", "parameter", "old", "new"),
    [
        (Recorder("{{ door_url }}"), "text", "door_url", "launch_url"),
        (Recorder("{% if door_url is defined %}{{ door_url }}{% endif %}"), "text", "door_url", "launch_url"),
        (Recorder(more=[{"for": "{{ door_open_for.days }}"}]), "more", "door_open_for", "launch_page_valid_for"),
    ],
)
def test_an_old_name_in_a_template_warns_when_the_dag_is_parsed(
    notifier: BaseNotifier, parameter: str, old: str, new: str
) -> None:
    with pytest.warns(DeprecationWarning, match="is deprecated") as raised:
        make(notifiers=[Recorder("door_url, in words"), notifier])
    assert [str(warning.message) for warning in ours(raised)] == [
        f"{{{{ {old} }}}} in notifiers[1].{parameter} is deprecated and will be removed in the next "
        f"minor release; use {{{{ {new} }}}}."
    ]


def test_templates_and_the_receipt_have_the_old_names_too(
    hook: SageMakerNotebookInstanceHook, clock: Clock, context: dict[str, Any], sagemaker: Script
) -> None:
    notifier = Recorder("{{ door_url }} {{ door_open_for }}")
    with pytest.warns(DeprecationWarning, match="is deprecated"):
        operator = make(notifiers=notifier, link="launch_page", launch_page_valid_for=3600, deferrable=False)
    operator.__dict__["hook"] = hook
    operator._runtime = clock
    sagemaker.describe("InService")
    receipt = operator.execute(context)
    assert notifier.sent == [f"{LAUNCH_URL} 1:00:00"]
    assert receipt["door_url"] == receipt["launch_url"] == LAUNCH_URL


def test_the_receipt_has_no_old_name_for_a_missing_value(
    hook: SageMakerNotebookInstanceHook, clock: Clock, context: dict[str, Any], sagemaker: Script
) -> None:
    operator = make(notifiers=Recorder(), link="presigned", deferrable=False)
    operator.__dict__["hook"] = hook
    operator._runtime = clock
    sagemaker.describe("InService").mint()
    assert not {"door_url", "launch_url"} & set(operator.execute(context))


def test_airflow_finds_the_links_of_dags_that_were_serialized_before_without_a_warning() -> None:
    paths = airflow_sagemaker_presign.get_provider_info()["extra-links"]
    assert f"{PACKAGE}.links.SageMakerNotebookDoorLink" in paths
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in paths:
            module, _, name = path.rpartition(".")
            assert issubclass(getattr(importlib.import_module(module), name), BaseOperatorLink)
    assert issubclass(links.SageMakerNotebookDoorLink, links.SageMakerNotebookLaunchLink)


@pytest.mark.parametrize(
    "error",
    [
        exceptions.NotebookInstanceNotFound("research", "There is none."),
        exceptions.LinkDeliveryError("research", {"Recorder": "it failed"}),
    ],
)
def test_errors_about_a_notebook_instance_still_have_its_name_as_0_1_called_it(error: Any) -> None:
    assert error.notebook_instance_name == "research"


def test_every_error_has_the_one_base() -> None:
    errors = [getattr(exceptions, name) for name in exceptions.__all__]
    errors += [send_errors.SendFailed, send_errors.SendOutcomeUnknown, send_errors.SentToSomeOnly]
    assert all(issubclass(error, exceptions.SageMakerPresignError) for error in errors)
    assert all(error.__name__ in str(exceptions.__doc__) for error in errors)


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_a_public_module_names_all_that_is_public_in_it(module: str) -> None:
    imported = importlib.import_module(f"{PACKAGE}.{module}")
    defined = {
        name
        for name, value in vars(imported).items()
        if isinstance(value, type) and value.__module__ == imported.__name__ and not name.startswith("_")
    }
    assert set(imported.__all__) <= defined
    assert defined - set(imported.__all__) <= {
        # Bases and values that are internal, and the old name that Airflow imports.
        "Named",
        "SageMakerConsoleLink",
        "SageMakerNotebookDoorLink",
        "WorkspaceErrors",
    }


OLD_NAMES = {"door_url", "door_open_for", *(old.rpartition(".")[2] for old in MODULE_NAMES)}


@pytest.mark.parametrize("path", sorted((ROOT / "dags").rglob("*.py")) + sorted((ROOT / PACKAGE).rglob("*.py")))
def test_nothing_of_ours_uses_an_old_name(path: Path) -> None:
    """A warning alone would not show this, since it is attributed to the caller of the package."""
    used = {*_names_in(ast.parse(path.read_text()))} & OLD_NAMES
    # The one parameter that has an old name.
    assert used <= ({"door_open_for"} if path.parent.name == "operators" else set())


def _names_in(tree: ast.AST) -> Iterator[str]:
    read: dict[type[ast.AST], Callable[[Any], str | None]] = {
        ast.Name: lambda node: node.id,
        ast.Attribute: lambda node: node.attr,
        ast.alias: lambda node: node.name,
        ast.keyword: lambda node: node.arg,
    }
    for node in ast.walk(tree):
        name = read[type(node)](node) if type(node) in read else None
        if name:
            yield name
