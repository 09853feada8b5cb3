"""What a hook after the run is told of how it went is what the caller is told."""

from __future__ import annotations

import threading

import pytest

from minigun_py import Pipeline, RunReport
from minigun_py.errors import UsageError


def test_a_run_that_was_left_early_went_well() -> None:
    told: list[RunReport] = []
    pipe = Pipeline("endless")
    pipe.source(iter(int, 1))
    pipe.processor(lambda n: n, name="work", execution="thread")
    pipe.after_run(told.append)
    with pipe.stream() as zeros:
        next(iter(zeros))
    assert zeros.report is not None
    assert [report.ok for report in told] == [zeros.report.ok] == [True]


def test_what_a_hook_has_made_and_cannot_cross_is_named_and_the_run_did_not_go_well() -> None:
    told: list[RunReport] = []
    pipe = Pipeline("never begun")
    pipe.source([1])
    kept: list[object] = []
    pipe.before_run(lambda: kept.append(threading.Lock()))
    pipe.processor(lambda n: (n, kept), name="work", execution="process")
    pipe.after_run(told.append)
    with pytest.raises(UsageError, match="closes over 'kept'"):
        pipe.run()
    assert [report.ok for report in told] == [False]
