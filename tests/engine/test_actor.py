"""What a worker calls for a stage is its own where the stage keeps something."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from minigun_py import Stage
from minigun_py.engine.actor import Actor, actor_of
from minigun_py.engine.ready_made import Batch
from minigun_py.errors import UsageError
from minigun_py.plan.options import Options
from minigun_py.plan.stage import OwnStage
from plan.drawing import processor, source


class Sum(Stage):
    """Keeps a sum from a start on."""

    def __init__(self, start: int = 0) -> None:
        self.start = [start]

    def setup(self) -> str:
        self.total = sum(self.start)
        return "state"

    def process(self, item: int) -> None:
        self.total += item

    def flush(self) -> int:
        return self.total

    def teardown(self) -> None:
        self.start.append(-1)


def own(instance: Stage) -> OwnStage:
    return OwnStage("own", Options(), "here.py:1", instance)


def set_up(instance: Stage) -> Actor:
    actor = actor_of(own(instance))
    assert actor.setup is not None
    actor.setup()
    return actor


def flushed(actor: Actor) -> list[Any]:
    assert actor.flush is not None
    return list(actor.flush())


# --------------------------------------------------------------------------- functions


def test_a_function_is_called_as_it_was_declared() -> None:
    stage = processor("a", abs)
    assert actor_of(stage).shape is stage.shape


def test_a_function_comes_with_the_setup_and_teardown_that_are_said() -> None:
    actor = actor_of(processor("a", abs, setup=list, teardown=print))
    assert (actor.setup, actor.teardown) == (list, print)


@pytest.mark.parametrize("stage", [processor("a", abs), source("s", [1])])
def test_what_has_no_instance_holds_nothing(stage: Any) -> None:
    actor = actor_of(stage)
    assert (actor.flush, actor.timed) == (None, None)


# --------------------------------------------------------------------------- instances


def test_what_an_instance_returns_is_given_as_a_list() -> None:
    class Double(Stage):
        def process(self, item: int) -> int | None:
            return 2 * item or None

    call = actor_of(own(Double())).shape.call
    assert (call(1), call(0)) == ([2], [])


def test_what_an_instance_yields_is_given_as_a_list() -> None:
    class Twice(Stage):
        def process(self, item: int) -> Iterator[int]:
            yield item
            yield item

    assert actor_of(own(Twice())).shape.call(1) == [1, 1]


def test_two_workers_share_nothing() -> None:
    stage = own(Sum())
    first, second = actor_of(stage), actor_of(stage)
    for actor in (first, second):
        assert actor.setup is not None
        actor.setup()
    first.shape.call(5)
    assert (flushed(first), flushed(second)) == ([5], [0])


def test_what_a_worker_changes_does_not_change_the_instance_that_was_given() -> None:
    given = Sum(3)
    actor = set_up(given)
    assert actor.teardown is not None
    actor.teardown(None)
    assert vars(given) == {"start": [3]}


def test_what_the_instance_was_made_with_is_there() -> None:
    assert flushed(set_up(Sum(3))) == [3]


def test_its_setup_gives_a_state_as_any_other() -> None:
    actor = actor_of(own(Sum()))
    assert actor.setup is not None
    assert actor.setup() == "state"


def test_an_instance_without_flush_holds_nothing() -> None:
    class Double(Stage):
        def process(self, item: int) -> int:
            return 2 * item

    assert actor_of(own(Double())).flush is None


def test_a_flush_that_gives_nothing_gives_no_value() -> None:
    class Quiet(Stage):
        def process(self, item: int) -> None: ...

        def flush(self) -> None: ...

    assert flushed(set_up(Quiet())) == []


def test_a_flush_may_yield_several() -> None:
    class All(Stage):
        def setup(self) -> None:
            self.items: list[int] = []

        def process(self, item: int) -> None:
            self.items.append(item)

        def flush(self) -> Iterator[int]:
            yield from self.items

    actor = set_up(All())
    actor.shape.call(1)
    actor.shape.call(2)
    assert flushed(actor) == [1, 2]


def test_a_flush_may_be_asynchronous() -> None:
    class Later(Stage):
        def process(self, item: int) -> None: ...

        async def flush(self) -> AsyncIterator[int]:
            yield 1

    actor = actor_of(own(Later()))
    assert actor.flush is not None
    assert hasattr(actor.flush(), "__aiter__")


def test_a_stage_that_wants_to_know_the_time_is_told_it() -> None:
    assert actor_of(own(Sum())).timed is None
    batch = Batch("here", size=2, max_wait=1.0, key=None, max_bytes=None, max_pending=None)
    assert isinstance(actor_of(own(batch)).timed, Batch)


# --------------------------------------------------------------------------- refusals


def test_an_instance_that_cannot_be_copied_is_refused_with_what_to_do() -> None:
    class Locked(Stage):
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def process(self, item: int) -> None: ...

    with pytest.raises(UsageError) as raised:
        actor_of(own(Locked()))
    assert str(raised.value).startswith("stage 'own' (here.py:1): each worker has a copy of it")
    assert "make in its setup what cannot" in str(raised.value)


@pytest.mark.parametrize("parameter", ["output", "state"])
def test_a_flush_that_wants_something_is_refused_when_it_is_declared(parameter: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def flush(self, {parameter}): ...", namespace)
    wrong = type("Wrong", (Stage,), {"flush": namespace["flush"]})()
    with pytest.raises(UsageError, match=r"own.*, flush: it returns or yields, and takes nothing"):
        own(wrong)


def test_a_flush_with_another_parameter_is_refused_when_it_is_declared() -> None:
    class Wrong(Stage):
        def flush(self, all_of_it: bool) -> None: ...  # type: ignore[override]

    with pytest.raises(UsageError, match="flush: parameter 'all_of_it' has no default"):
        own(Wrong())


def test_an_instance_whose_process_takes_no_item_is_refused_when_it_is_declared() -> None:
    class Wrong(Stage):
        def process(self) -> None: ...  # type: ignore[override]

    with pytest.raises(UsageError, match="its function has no parameter for the item"):
        own(Wrong())


def test_a_stage_with_methods_takes_no_setup_and_teardown_besides() -> None:
    with pytest.raises(UsageError, match="it has the methods setup and teardown"):
        OwnStage("own", Options(setup=list), "", Sum())


def test_a_stage_that_does_not_say_what_it_does_raises_when_it_is_called() -> None:
    with pytest.raises(NotImplementedError, match="Stage does not say in process what it does"):
        Stage().process(1)
