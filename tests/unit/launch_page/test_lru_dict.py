from __future__ import annotations

from airflow_sagemaker_presign.launch_page.lru_dict import LruDict


def test_the_most_recently_used_entry_stays() -> None:
    kept: LruDict[str, int] = LruDict(2)
    kept["a"], kept["b"] = 1, 2
    assert kept.get("a") == 1
    kept["c"] = 3
    assert dict(kept) == {"a": 1, "c": 3}
    kept["a"] = 4
    kept["d"] = 5
    assert dict(kept) == {"a": 4, "d": 5}


def test_a_default_that_is_set_counts_too() -> None:
    kept: LruDict[int, int] = LruDict(3)
    assert [kept.setdefault(number % 5, number) for number in range(10)] == list(range(10))
    assert len(kept) == 3


def test_a_missing_key_is_not_found() -> None:
    kept: LruDict[str, int] = LruDict(1)
    assert kept.get("a") is None
    assert kept.get("a", 7) == 7
    assert kept.pop("a", None) is None
    assert not kept
