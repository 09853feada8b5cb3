"""What stages want set up is set up once for a worker, and torn down once, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest

from engine.growing import chain, grow
from engine.working import awaiting, opened
from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.kernel import Post
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.errors import UsageError
from minigun_py.plan.segment import Segment
from minigun_py.plan.stage import DeclaredStage
from plan.drawing import processor


class Diary:
    """Notes what is set up, run and torn down, in order."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> str:
        self.notes.append(text)
        return text

    def stage(self, name: str, **options: Any) -> DeclaredStage:
        """A stage that notes its life, with a setup and a teardown unless others are given."""
        told = {
            "setup": lambda: self.note(f"set {name} up"),
            "teardown": lambda state: self.note(f"tear {name} down"),
        }
        return processor(name, self.run, **told | options)

    def run(self, item: Any, state: Any) -> Any:
        self.note(f"run {item}")
        return item


def line_of(*stages: DeclaredStage) -> Segment:
    return grow(stages, [*([n + 1] for n in range(len(stages) - 1)), []])


def kernel_of(segment: Segment, awaits: bool = False) -> SegmentKernel:
    return SegmentKernel(segment, [0], segment.names, awaits=awaits)


def run(segment: Segment, items: Sequence[Any] = (1,)) -> Harvest:
    """Open a worker, run one chunk, and close it."""
    with opened(kernel_of(segment)) as worker:
        worker.run(items)
        return worker.harvest(len(items))


def with_state(item: int, state: Any) -> Any:
    return item, state


# --------------------------------------------------------------------------- every way to write it


def returns() -> str:
    return "ready"


def yields() -> Iterator[str]:
    yield "ready"


async def returns_later() -> str:
    await asyncio.sleep(0)
    return "ready"


async def yields_later() -> AsyncIterator[str]:
    await asyncio.sleep(0)
    yield "ready"


class Yields:
    def __call__(self) -> Iterator[str]:
        yield "ready"


@pytest.mark.parametrize("setup", [returns, yields, returns_later, yields_later, Yields()])
def test_what_a_setup_makes_is_the_state(setup: Callable[[], Any]) -> None:
    assert run(chain({"a": with_state}, setup=setup)).outputs == [[(1, "ready")]]


@pytest.mark.parametrize("setup", [returns, yields, returns_later, yields_later])
def test_on_a_loop_too(setup: Callable[[], Any]) -> None:
    async def tell(item: int, state: Any) -> Any:
        return item, state

    with awaiting(kernel_of(chain({"a": tell}, setup=setup), awaits=True)) as worker:
        worker.run([1])
        assert worker.harvest(1).outputs == [[(1, "ready")]]


def test_a_generator_tears_down_after_its_yield() -> None:
    diary = Diary()

    def setup() -> Iterator[str]:
        diary.note("up")
        yield "state"
        diary.note("down")

    run(line_of(diary.stage("a", setup=setup, teardown=None)))
    assert diary.notes == ["up", "run 1", "down"]


def test_an_asynchronous_generator_tears_down_after_its_yield() -> None:
    diary = Diary()

    async def setup() -> AsyncIterator[str]:
        diary.note("up")
        yield "state"
        await asyncio.sleep(0)
        diary.note("down")

    run(line_of(diary.stage("a", setup=setup, teardown=None)))
    assert diary.notes == ["up", "run 1", "down"]


def test_a_teardown_takes_the_state() -> None:
    taken: list[str] = []
    run(chain({"a": with_state}, setup=returns, teardown=taken.append))
    assert taken == ["ready"]


def test_a_teardown_may_be_a_coroutine_function() -> None:
    taken: list[str] = []

    async def teardown(state: str) -> None:
        await asyncio.sleep(0)
        taken.append(state)

    run(chain({"a": with_state}, setup=returns, teardown=teardown))
    assert taken == ["ready"]


def test_a_state_of_none_is_a_state() -> None:
    taken: list[None] = []
    segment = chain({"a": with_state}, setup=lambda: None, teardown=taken.append)
    assert run(segment).outputs == [[(1, None)]]
    assert taken == [None]


def test_a_setup_may_make_something_for_a_loop_that_later_items_use() -> None:
    async def setup() -> asyncio.Queue[int]:
        return asyncio.Queue()

    async def swap(item: int, state: asyncio.Queue[int]) -> int:
        await state.put(item)
        return await state.get()

    assert run(chain({"a": swap}, setup=setup), [1, 2, 3]).outputs == [[1, 2, 3]]


def test_what_emits_in_other_ways_has_a_state_too() -> None:
    def many(item: int, state: int) -> Iterator[int]:
        yield from [item] * state

    def pushes(item: int, output: Callable[[Any], None], state: int) -> None:
        output((item, state))

    segment = chain({"many": many, "pushes": pushes}, setup=lambda: 2)
    assert run(segment).outputs == [[(1, 2), (1, 2)]]


def test_a_stage_need_not_take_what_its_setup_makes() -> None:
    diary = Diary()
    run(chain({"a": lambda item: item}, setup=lambda: diary.note("up")))
    assert diary.notes == ["up"]


# --------------------------------------------------------------------------- once, and in order


def test_it_is_set_up_once_for_all_items_of_a_worker() -> None:
    diary = Diary()
    with opened(kernel_of(line_of(diary.stage("a")))) as worker:
        worker.run([1, 2])
        worker.harvest(2)
        worker.run([3])
    assert diary.notes == ["set a up", "run 1", "run 2", "run 3", "tear a down"]


def test_every_worker_has_a_state_of_its_own() -> None:
    kernel = kernel_of(chain({"a": lambda item, state: state}, setup=object))
    with opened(kernel) as one, opened(kernel) as other:
        for worker in (one, other):
            worker.run([1, 2])
        first, second = one.harvest(2).outputs[0], other.harvest(2).outputs[0]
    assert first[0] is first[1]
    assert second[0] is second[1]
    assert first[0] is not second[0]


def test_workers_of_one_loop_share_what_is_set_up() -> None:
    made: list[object] = []

    def setup() -> object:
        made.append(object())
        return made[-1]

    async def tell(item: int, state: object) -> object:
        return state

    kernel = kernel_of(chain({"a": tell}, setup=setup), awaits=True)
    with awaiting(kernel) as first:
        twin = first.worker.twin(Post(2))
        first.run([1])
        first.runner.run(twin.run([2]))
        assert first.harvest(1).outputs == [made]
        assert twin.harvest(1).outputs == [made]
    assert len(made) == 1


def test_stages_are_set_up_in_order_and_torn_down_in_reverse() -> None:
    diary = Diary()
    run(line_of(diary.stage("a"), diary.stage("b"), diary.stage("c")), [])
    assert diary.notes == [
        "set a up", "set b up", "set c up", "tear c down", "tear b down", "tear a down",
    ]  # fmt: skip


def test_a_teardown_comes_after_a_failure_as_well() -> None:
    diary = Diary()
    failed = run(line_of(diary.stage("a"), processor("fail", lambda n: 1 // 0)))
    assert len(failed.failures) == 1
    assert diary.notes == ["set a up", "run 1", "tear a down"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_a_teardown_comes_after_what_is_no_exception(error: type[BaseException]) -> None:
    def stop(item: int) -> None:
        raise error

    diary = Diary()
    with pytest.raises(error):
        run(line_of(diary.stage("a"), processor("stop", stop)))
    assert diary.notes == ["set a up", "run 1", "tear a down"]


def test_it_is_torn_down_once_however_often_it_is_closed() -> None:
    diary = Diary()
    with opened(kernel_of(line_of(diary.stage("a")))) as worker:
        worker.close()
        worker.close()
    assert diary.notes == ["set a up", "tear a down"]


def test_on_a_loop_it_is_torn_down_once_however_often_it_is_closed() -> None:
    diary = Diary()

    async def same(item: int) -> int:
        return item

    told = {"setup": lambda: diary.note("up"), "teardown": lambda state: diary.note("down")}
    with awaiting(kernel_of(chain({"a": same}, **told), awaits=True)) as worker:
        worker.runner.run(worker.worker.close())
        worker.runner.run(worker.worker.close())
    assert diary.notes == ["up", "down"]


def test_a_worker_that_was_never_opened_has_nothing_to_tear_down() -> None:
    diary = Diary()
    kernel_of(line_of(diary.stage("a"))).bind().close()
    assert diary.notes == []


# --------------------------------------------------------------------------- what goes wrong


def fail(*_: object) -> None:
    raise OSError("no room")


async def fail_later(*_: object) -> None:
    await asyncio.sleep(0)
    raise OSError("no room")


@pytest.mark.parametrize("setup", [fail, fail_later])
def test_a_setup_that_raises_is_named_and_those_before_it_are_torn_down(setup: Any) -> None:
    diary = Diary()
    stages = [diary.stage("a"), diary.stage("b"), diary.stage("c", setup=setup), diary.stage("d")]
    with pytest.raises(OSError, match="no room") as raised:
        run(line_of(*stages))
    assert raised.value.__notes__ == ["in the setup of stage 'c'"]
    assert diary.notes == ["set a up", "set b up", "tear b down", "tear a down"]


@pytest.mark.parametrize("teardown", [fail, fail_later])
def test_a_teardown_that_raises_is_named_and_the_others_come_all_the_same(teardown: Any) -> None:
    diary = Diary()
    stages = [diary.stage("a"), diary.stage("b", teardown=teardown), diary.stage("c")]
    with pytest.raises(OSError, match="no room") as raised:
        run(line_of(*stages), [])
    assert raised.value.__notes__ == ["in the teardown of stage 'b'"]
    assert diary.notes == ["set a up", "set b up", "set c up", "tear c down", "tear a down"]


def test_a_teardown_that_has_raised_is_not_tried_again() -> None:
    tried: list[str] = []

    def teardown(state: str) -> None:
        tried.append(state)
        fail()

    worker = kernel_of(chain({"a": with_state}, setup=returns, teardown=teardown)).bind()
    worker.open()
    with pytest.raises(OSError, match="no room"):
        worker.close()
    worker.close()
    assert tried == ["ready"]


def test_of_several_that_raise_the_first_is_told() -> None:
    diary = Diary()
    stages = [diary.stage("a", teardown=fail), diary.stage("b", teardown=fail_later)]
    with pytest.raises(OSError, match="no room") as raised:
        run(line_of(*stages), [])
    assert raised.value.__notes__ == ["in the teardown of stage 'b'"]


def yields_nothing() -> Iterator[str]:
    yield from ()


async def yields_nothing_later() -> AsyncIterator[str]:
    for value in ():
        yield value


@pytest.mark.parametrize("setup", [yields_nothing, yields_nothing_later])
def test_a_setup_has_to_yield_a_state(setup: Any) -> None:
    with pytest.raises(UsageError, match="its setup yields no state"):
        run(chain({"a": with_state}, setup=setup))


def yields_twice() -> Iterator[int]:
    yield 1
    yield 2


async def yields_twice_later() -> AsyncIterator[int]:
    yield 1
    yield 2


@pytest.mark.parametrize("setup", [yields_twice, yields_twice_later])
def test_a_setup_yields_one_state_and_no_other(setup: Any) -> None:
    with pytest.raises(UsageError, match="yields one state"):
        run(chain({"a": with_state}, setup=setup))
