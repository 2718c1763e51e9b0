"""On every version of Airflow each name is somewhere."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from airflow_sagemaker_presign import compat


@pytest.mark.parametrize("name", compat._PLACES)
def test_this_airflow_has_each_name_in_one_of_its_places(name: str) -> None:
    assert getattr(compat, name) is not None


def test_a_name_that_airflow_has_nowhere_is_an_import_error_that_says_where_it_was_looked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(compat._PLACES, "Teleport", ("airflow.sdk", "airflow.nowhere"))
    with pytest.raises(ImportError, match=r"does not have Teleport in any of airflow\.sdk, airflow\.nowhere"):
        compat.Teleport  # noqa: B018


def test_other_names_are_no_names_of_the_module() -> None:
    assert not hasattr(compat, "Teleport")


def test_the_version_is_that_of_the_installed_airflow() -> None:
    assert version("apache-airflow").startswith(".".join(map(str, compat.AIRFLOW_VERSION)))
    assert version("apache-airflow").startswith("2.") == compat.IS_AIRFLOW_2
