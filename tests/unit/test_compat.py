"""On every version of Airflow each name is somewhere."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from airflow_sagemaker_presign import compat
from airflow_sagemaker_presign.compat import DAG, BaseNotifier, BaseOperator


@pytest.mark.parametrize("name", compat._MODULES)
def test_this_airflow_has_each_name_in_one_of_its_places(name: str) -> None:
    assert getattr(compat, name) is not None


def test_a_name_missing_in_airflow_raises_an_import_error_with_the_modules_searched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(compat._MODULES, "Teleport", ("airflow.sdk", "airflow.nowhere"))
    with pytest.raises(ImportError, match=r"does not have Teleport in any of airflow\.sdk, airflow\.nowhere"):
        compat.Teleport  # noqa: B018


def test_other_names_are_no_names_of_the_module() -> None:
    assert not hasattr(compat, "Teleport")


def test_the_version_is_that_of_the_installed_airflow() -> None:
    assert version("apache-airflow").startswith(".".join(map(str, compat.AIRFLOW_VERSION)))
    assert version("apache-airflow").startswith("2.") == compat.IS_AIRFLOW_2


class Operator(BaseOperator):
    """An operator that records, in its own ``__init__``, whether Airflow creates it from a mapped task."""

    def __init__(self, *, value: object = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value = value
        self.created_from_mapped = compat.is_created_from_mapped(self)


@pytest.fixture
def plain_and_mapped() -> tuple[Any, Any]:
    with DAG("rows", schedule=None):
        return Operator(task_id="plain"), Operator.partial(task_id="mapped").expand(value=["a", "b"])


def test_a_task_that_airflow_creates_from_a_mapped_one_is_recognised(plain_and_mapped: tuple[Any, Any]) -> None:
    plain, mapped = plain_and_mapped
    assert mapped.unmap({"value": "a"}).created_from_mapped is True
    assert plain.created_from_mapped is False


def test_a_mapped_task_is_recognised_and_its_row_is_read(plain_and_mapped: tuple[Any, Any]) -> None:
    plain, mapped = plain_and_mapped
    assert compat.is_mapped(mapped)
    assert not compat.is_mapped(plain)
    ti = type("TaskInstance", (), {"map_index": 1, "run_id": "r"})()
    row, not_to_render = compat.mapped_row_of(mapped, {"ti": ti, "task": mapped, "run_id": "r"})
    assert row["value"] == "b"
    assert isinstance(not_to_render, set)


@pytest.mark.parametrize(
    ("methods", "expected"), [(["notify"], False), (["async_notify"], True), (["notify", "async_notify"], False)]
)
def test_a_notifier_with_only_the_asynchronous_method_is_recognised(methods: list[str], expected: bool) -> None:
    def send(self: object, context: object) -> None: ...

    kind: Any = type("Notifier", (BaseNotifier,), dict.fromkeys(methods, send))
    assert compat.is_async_only(kind()) is expected
