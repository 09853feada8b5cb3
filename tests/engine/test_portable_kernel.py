"""A kernel that crosses to a worker does the same work there, and takes along no more than that."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle
import pytest

from engine.growing import chain, grow
from engine.working import awaiting, opened
from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.kernel import Control
from minigun_py.engine.current import current
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.plan.options import Options
from minigun_py.plan.segment import Exit, Segment, portable
from minigun_py.primitives.cancel import CancelToken
from plan.drawing import consumer, processor


def crossed(kernel: SegmentKernel) -> SegmentKernel:
    """The kernel as a worker gets it that has not inherited it."""
    return pickle.loads(cloudpickle.dumps(kernel))  # type: ignore[no-any-return]


def run(kernel: SegmentKernel, items: list[Any]) -> Harvest:
    with opened(kernel) as worker:
        worker.run(items)
        return worker.harvest(len(items))


def up_to(n: int) -> Iterator[int]:
    yield from range(n)


def odd(n: int) -> int | None:
    return n if n % 2 else None


def tree() -> Segment:
    """A fan-out behind a generator, with an exit in the middle."""
    offset = 100  # so that a function is a closure
    stages = [
        processor("up_to", up_to),
        processor("odd", odd),
        consumer("add", lambda n: n + offset),
    ]
    exits = [Exit(0, ("x",), "broadcast"), Exit(1, (), "broadcast"), Exit(2, (), "broadcast")]
    return grow(stages, [[1, 2], [], []], exits)


def test_it_does_the_same_work() -> None:
    kernel = SegmentKernel(tree(), [1, 2], ["odd"])
    other = crossed(kernel)
    for items in ([3, 4], [], [None, 2]):
        here, there = run(kernel, items), run(other, items)
        assert there.outputs == here.outputs
        assert there.counts == here.counts
        assert [(f.stage, f.index, f.item) for f in there.failures] == [
            (f.stage, f.index, f.item) for f in here.failures
        ]
    assert (other.stages, other.exit_stages) == (kernel.stages, kernel.exit_stages)
    assert not other.holds


@pytest.mark.parametrize("policy", ["skip", "fail"])
def test_it_forgives_what_it_forgave(policy: str) -> None:
    kernel = crossed(
        SegmentKernel(chain({"invert": lambda n: 1 / n}), [0], ["invert"] * (policy == "skip"))
    )
    assert run(kernel, [0, 1]).outputs == [[1.0] if policy == "skip" else []]


def test_it_awaits_what_it_awaited() -> None:
    async def double(n: int) -> int:
        await asyncio.sleep(0)
        return 2 * n

    with awaiting(crossed(SegmentKernel(chain({"a": double}), [0], (), awaits=True))) as worker:
        worker.run([1, 2])
        assert worker.harvest(2).outputs == [[2, 4]]


def test_setup_and_teardown_go_with_it() -> None:
    def note(item: int, state: list[int]) -> list[int]:
        state.append(item)
        return state

    segment = chain({"a": note}, setup=lambda: [0], teardown=lambda state: state.append("end"))
    harvest = run(crossed(SegmentKernel(segment, [0], ())), [1, 2])
    assert harvest.outputs == [[[0, 1, 2, "end"]] * 2]  # one list, as it is in the end


def test_options_that_name_other_stages_stay_behind() -> None:
    lock = threading.Lock()

    def holds_a_lock(item: int) -> int:
        with lock:
            return item

    stage = processor("a", abs, to=[holds_a_lock], from_=[holds_a_lock], workers=3)
    kernel = crossed(SegmentKernel(grow([stage], [[]]), [0], ()))
    assert run(kernel, [-1]).outputs == [[1]]
    assert kernel.segment.head.options == Options()


def test_a_portable_segment_keeps_all_that_its_work_needs() -> None:
    segment = tree()
    bare = portable(segment)
    assert (bare.names, bare.children, bare.exits) == (
        segment.names, segment.children, segment.exits,
    )  # fmt: skip
    assert bare.functions == segment.functions


def test_the_line_to_the_run_stays_behind() -> None:
    control = Control(CancelToken(), threading.Lock().acquire)
    kernel = SegmentKernel(chain({"a": lambda _: current().stage}), [0], (), control=control)
    other = crossed(kernel)
    assert other.control is not control
    assert run(other, [1]).outputs == [["a"]]


def test_its_functions_are_all_that_the_user_wrote() -> None:
    functions: list[Callable[..., Any]] = [abs, list, len, hash]
    stage = processor("a", functions[0], setup=functions[1], teardown=functions[2])
    kernel = SegmentKernel(grow([stage, processor("b", functions[3])], [[1], []]), [0], ())
    assert kernel.functions == (abs, list, len, hash)
