"""Stages that name the same context share its workers: no more items run at once than it has."""

from __future__ import annotations

import threading

import pytest

from minigun_py import Pipeline, PipelineFailed


class Crowd:
    """Counts who is inside at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = self.most = 0
        self.full = threading.Event()

    def visit(self, item: int) -> int:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
            if self._inside == 2:
                self.full.set()
        self.full.wait(10)  # until two are inside, as two may be
        with self._lock:
            self._inside -= 1
        return item


def apart(crowd: Crowd, context: str) -> Pipeline:
    """Two stages in a context, with a batch between them that keeps them apart."""
    pipe = Pipeline("p")
    pipe.context("desk", context, 2)
    pipe.source(range(12))
    pipe.processor(crowd.visit, name="first", execution="desk", chunk=1)
    pipe.batch(1)
    pipe.unbatch(name="single")
    pipe.processor(crowd.visit, name="second", execution="desk", chunk=1)
    return pipe


def test_stages_that_are_apart_run_no_more_at_once_than_their_context_has_workers() -> None:
    crowd = Crowd()
    assert sorted(apart(crowd, "thread").collect()) == list(range(12))
    assert crowd.most == 2


@pytest.mark.parametrize("kind", ["fork", "process"])
def test_processes_share_a_context_as_well(kind: str) -> None:
    pipe = Pipeline("p")
    pipe.context("desk", kind, 2)
    pipe.source(range(30))
    pipe.processor(abs, name="first", execution="desk")
    pipe.batch(3)
    pipe.processor(sum, name="second", execution="desk")
    assert sum(pipe.collect()) == sum(range(30))


def test_a_cut_ends_the_wait_for_a_worker_of_the_context() -> None:
    held = threading.Event()

    def first(item: int) -> int:
        if item == 3:
            held.set()
            raise ValueError(item)
        return item

    def second(item: int) -> int:
        held.wait(10)
        return item

    pipe = Pipeline("p")
    pipe.context("desk", "thread", 1)
    pipe.source(range(10))
    pipe.processor(first, execution="desk", chunk=1)
    pipe.batch(1)
    pipe.unbatch(name="single")
    pipe.processor(second, execution="desk", chunk=1, name="second")
    held.set()
    with pytest.raises(PipelineFailed, match="item 3"):
        pipe.run()


def test_neighbours_in_a_context_share_a_worker_for_an_item() -> None:
    pipe = Pipeline("p")
    pipe.context("desk", "thread", 2)
    pipe.source([1])
    pipe.processor(abs, name="first", execution="desk")
    pipe.processor(abs, name="second", execution="desk")
    assert pipe.plan().colocated_stages["first"] == ["second"]
