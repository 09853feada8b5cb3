"""A report prints as a table, is JSON on demand, and names the bottleneck."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest

from minigun_py.engine.ledger import StageBook
from minigun_py.engine.report import FailedItem, RunReport, StageReport

IDLE = StageReport.of(StageBook())


def report(**stages: StageReport) -> RunReport:
    return RunReport("census", ok=True, duration=1.5, stages=stages)


def test_a_page_of_the_ledger_is_read_whole() -> None:
    book = StageBook(received=9, completed=2, skipped=3, busy=0.5, peak_queue=7, workers=4)
    page = StageReport.of(book)
    assert (page.received, page.completed, page.skipped) == (9, 2, 3)
    assert (page.busy, page.peak_queue, page.workers) == (0.5, 7, 4)


def test_a_stage_is_found_by_its_name() -> None:
    assert report(a=IDLE)["a"] is IDLE


def test_a_report_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        report(a=IDLE).ok = False  # type: ignore[misc]


def test_the_bottleneck_is_the_stage_with_the_busiest_workers() -> None:
    one, four = replace(IDLE, busy=2.0), replace(IDLE, busy=6.0, workers=4)
    assert report(one=one, four=four).bottleneck == "one"


def test_nothing_is_the_bottleneck_of_a_run_that_did_nothing() -> None:
    assert report(a=IDLE).bottleneck is None
    assert report().bottleneck is None


def test_it_prints_as_a_table() -> None:
    parse = StageReport(
        received=12, completed=9, filtered=1, failed=0, skipped=1, dead_lettered=1, retried=5,
        cancelled=0, emitted=9, discarded=0, busy=1.25, blocked=0.5, starved=0.0,
        peak_queue=7, workers=4,
    )  # fmt: skip
    lines = str(report(numbers=replace(IDLE, emitted=12), parse=parse)).splitlines()
    assert lines[0] == "census: ended well after 1.50 s; the bottleneck is parse"
    assert lines[1].split("  ")[0] == "stage"
    columns = [cell.strip() for cell in lines[1].split("  ") if cell]
    assert columns[1:] == [
        "workers", "received", "completed", "filtered", "failed", "skipped", "dead letters",
        "retried", "cancelled", "emitted", "busy s", "blocked s", "starved s", "peak queue",
    ]  # fmt: skip
    assert lines[3].split() == [
        "parse", "4", "12", "9", "1", "0", "1", "1", "5", "0", "9", "1.25", "0.50", "0.00", "7",
    ]  # fmt: skip


def test_the_columns_of_the_table_line_up() -> None:
    wide = replace(IDLE, received=123456789)
    _, *rows = str(report(a=IDLE, longer_name=wide)).splitlines()
    assert len({len(row) for row in rows}) == 1


def test_a_failed_run_says_so() -> None:
    failed = replace(report(a=IDLE), ok=False)
    assert str(failed).startswith("census: failed after 1.50 s\n")


class Odd:
    def __repr__(self) -> str:
        return "<odd>"


def test_it_is_json() -> None:
    failed = FailedItem("a", Odd(), ValueError("no"))
    record = replace(report(a=replace(IDLE, busy=1.0)), failures=(failed,), outputs=3)
    told: dict[str, Any] = json.loads(json.dumps(record.to_dict()))
    assert told == record.to_dict()
    assert (told["pipeline"], told["ok"], told["duration"]) == ("census", True, 1.5)
    assert (told["outputs"], told["bottleneck"]) == (3, "a")
    assert told["failures"] == [
        {"stage": "a", "item": "<odd>", "error": "ValueError('no')", "attempts": 1}
    ]
    assert told["stages"]["a"]["workers"] == 1
