"""What goes from worker to worker unseen arrives whole, and is seen when something goes wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pytest

from faults.kinds import kinds_that
from minigun_py import Pipeline, Retry
from minigun_py.primitives.packed import Packed
from minigun_py.testing import kill_worker

COUNT = 200
in_apart_kinds = kinds_that("not shares_memory", "not one_lease_each")
in_mortal_kinds = kinds_that("not shares_memory", "not one_lease_each", "survives_crash")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """How many values this process has handed on as they were, and how many it has unpacked."""
    here, told = os.getpid(), dict[str, list[int]](parts=[], unpacked=[])

    def watch(name: str) -> None:
        method = getattr(Packed, name)

        def watched(this: Packed) -> Any:
            if os.getpid() == here:
                told[name].append(len(this))
            return method(this)

        monkeypatch.setattr(Packed, name, watched)

    watch("parts")
    watch("unpacked")
    return told


def row(number: int) -> dict[str, Any]:
    return {"number": number, "text": f"{number}"}


def grown(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"number": row["number"] + 1}


def number_of(row: dict[str, Any]) -> Any:
    return row["number"]


def fail_at_seven(row: dict[str, Any]) -> Any:
    if row["number"] == 8:
        raise ValueError("seven")
    return row


def in_a_row(kind: str, *stages: Any, **options: Any) -> Pipeline:
    pipe = Pipeline("row")
    pipe.source(range(COUNT))
    for number, stage in enumerate(stages):
        pipe.processor(stage, name=f"s{number}", **{"execution": kind, "workers": 1, **options})
    return pipe


@in_apart_kinds
def test_nobody_looks_at_what_passes(kind: str, seen: dict[str, list[int]]) -> None:
    pipe = in_a_row(kind, row, grown, number_of, chunk=8)
    assert sorted(pipe.collect()) == list(range(1, COUNT + 1))
    assert sum(seen["parts"]) == 2 * COUNT
    assert seen["unpacked"] == []


@in_apart_kinds
@pytest.mark.parametrize(
    ("workers", "options"), [(1, {}), (2, {}), (2, {"ordered": True}), (2, {"queue_size": 3})]
)
def test_all_arrives(kind: str, workers: int, options: dict[str, Any]) -> None:
    pipe = in_a_row(kind, row, grown, grown, number_of, workers=workers, **options)
    results = pipe.collect()
    assert (results if options.get("ordered") else sorted(results)) == list(range(2, COUNT + 2))


@in_apart_kinds
def test_an_item_that_fails_behind_is_told_with_its_value(kind: str) -> None:
    pipe = in_a_row(kind, row, grown, fail_at_seven, number_of, on_error="skip")
    with pipe.stream() as results:
        assert sorted(results) == [n for n in range(1, COUNT + 1) if n != 8]
    [failed] = results.report.failures
    assert (failed.stage, failed.item) == ("s2", {"number": 8, "text": "7"})


@in_mortal_kinds
@pytest.mark.parametrize("retry", [None, Retry(2)])
def test_a_worker_that_dies_has_one_item_to_blame(kind: str, retry: Retry | None) -> None:
    pipe = in_a_row(kind, row, grown, number_of, on_error="skip", retry=retry)
    with kill_worker("s1", at_item=row(8)), pipe.stream() as results:
        got = sorted(results)
    failed = results.report.failures
    if retry is None:
        assert [failure.item for failure in failed] == [{"number": 8, "text": "8"}]
        assert got == [n for n in range(1, COUNT + 1) if n != 9]
    else:
        assert (got, failed) == (list(range(1, COUNT + 1)), ())


@dataclass
class Fragile:
    """Can be pickled, and only sometimes rebuilt."""

    number: int

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state["number"] == 7:
            raise ValueError("not this one")
        self.__dict__.update(state)


def plain_or_fragile(number: int) -> Any:
    return Fragile(number) if number % 2 else row(number)


def number_in(item: Any) -> int:
    return item.number if isinstance(item, Fragile) else number_of(item)


@in_apart_kinds
def test_what_cannot_be_rebuilt_fails_alone_where_it_came_from(kind: str) -> None:
    pipe = in_a_row(kind, plain_or_fragile, number_in, on_error="skip")
    with pipe.stream() as results:
        assert sorted(results) == [n for n in range(COUNT) if n != 7]
    [failed] = results.report.failures
    assert (failed.stage, failed.item) == ("s0", 7)
