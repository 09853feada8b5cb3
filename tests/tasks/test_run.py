"""What goes wrong beside all tasks is told, though every task has ended well."""

from __future__ import annotations

import pytest

from minigun_py import CancelToken, Pipeline, PipelineFailed
from minigun_py.clock import SYSTEM_CLOCK
from minigun_py.tasks.job_schedule import JobSchedule
from minigun_py.tasks.run import TaskRun
from minigun_py.tasks.task import Lane, Task


def test_a_failure_that_no_task_tells_of_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Pipeline.run

    def run_and_fail(pipe: Pipeline, **options: object) -> None:
        run(pipe, **options)
        raise PipelineFailed("the books", [ValueError("they do not balance")])

    monkeypatch.setattr(Pipeline, "run", run_and_fail)
    lane = Lane("thread")
    schedule = JobSchedule([Task("a", lane, int)], 1, None, None, SYSTEM_CLOCK, lambda: 0.0)
    with pytest.raises(PipelineFailed, match="the books"):
        TaskRun("one", [Task("a", lane, int)], {lane: 1}, schedule, CancelToken()).complete()
