"""A value on its way to other stages than the usual ones is checked where it is made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from minigun_py import Pipeline, PipelineFailed, Stage, To, UsageError
from minigun_py.emission import worker_at_work
from minigun_py.plan.signature import Output

KINDS = ["inline", "thread", "fork"]


def parse(item: Any) -> Any:
    """A stage."""


def routed(function: Any, kind: str = "inline", **options: Any) -> Pipeline:
    """A source, a stage that may send to ``yes`` and ``no``, and these two."""
    pipe = Pipeline("emission")
    pipe.source(range(4))
    pipe.processor(function, name="ask", **({"routes": ["yes", "no"], "execution": kind} | options))
    pipe.consumer(lambda item: ("yes", item), name="yes")
    pipe.consumer(lambda item: ("no", item), name="no")
    return pipe


def failure(pipe: Pipeline) -> Exception:
    """What a run fails with."""
    with pytest.raises(PipelineFailed) as raised:
        pipe.run()
    return raised.value.exceptions[0]


# --------------------------------------------------------------------------- as a value


def test_it_has_one_target_or_several() -> None:
    assert To("a", 1).targets == ("a",)
    assert To(["a", parse], 1).targets == ("a", parse)
    assert To(("a", "b"), 1).targets == ("a", "b")


def test_it_shows_where_it_goes_and_what() -> None:
    assert repr(To("a", [1])) == "To(a: [1])"
    assert repr(To(["a", parse], 1)) == "To(a, parse: 1)"


def test_outside_of_a_run_it_can_be_made_freely() -> None:
    assert To("anything", 1).value == 1
    assert worker_at_work(None) == (None, 0)


def test_a_stage_that_sends_can_be_tested_by_a_plain_call() -> None:
    def ask(number: int) -> To[int]:
        return To("yes", number)

    pipe = routed(ask)
    assert ask(3).targets == ("yes",)
    assert pipe.collect() == [("yes", n) for n in range(4)]


def test_output_makes_one_where_it_is_told_a_target() -> None:
    emitted: list[Any] = []
    output = Output[int](emitted.append)
    output(1)
    output(2, to="a")
    assert emitted[0] == 1
    assert (emitted[1].targets, emitted[1].value) == (("a",), 2)


# --------------------------------------------------------------------------- ways to send


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_sends_by_returning(kind: str) -> None:
    pipe = routed(lambda n: To("yes" if n % 2 else "no", n), kind)
    assert sorted(pipe.collect()) == [("no", 0), ("no", 2), ("yes", 1), ("yes", 3)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_sends_by_yielding(kind: str) -> None:
    def ask(number: int) -> Iterator[To[int]]:
        yield To("yes", number)
        yield To(["yes", "no"], -number)

    found = sorted(routed(ask, kind).collect([1]))
    assert found == [("no", -1), ("yes", -1), ("yes", 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_sends_by_output(kind: str) -> None:
    def ask(number: int, output: Any) -> None:
        output(number, to="yes")
        output(number, to=["no"])

    assert sorted(routed(ask, kind).collect([1])) == [("no", 1), ("yes", 1)]


@pytest.mark.parametrize("kind", ["inline", "thread", "async"])
def test_a_coroutine_sends(kind: str) -> None:
    async def ask(number: int) -> AsyncIterator[To[int]]:
        await asyncio.sleep(0)
        yield To("yes", number)

    assert routed(ask, kind).collect([1]) == [("yes", 1)]


def test_a_source_sends() -> None:
    pipe = Pipeline()

    @pipe.producer(routes=["a", "b"])
    def numbers() -> Iterator[To[int]]:
        yield To("a", 1)
        yield To("b", 2)

    pipe.consumer(lambda n: n, name="a")
    pipe.consumer(lambda n: -n, name="b")
    assert sorted(pipe.collect()) == [-2, 1]


def test_a_stage_sends_from_a_helper_and_from_a_thread_of_its_own() -> None:
    def ask(number: int) -> list[To[int]]:
        made: list[To[int]] = []
        helper = threading.Thread(target=lambda: made.append(To("yes", number)))
        helper.start()
        helper.join()
        return made[0]  # type: ignore[return-value]

    assert routed(ask).collect([1]) == [("yes", 1)]


def test_what_is_sent_is_taken_as_it_is() -> None:
    pipe = routed(lambda n: To("yes", [None, n, []]))
    assert pipe.collect([1]) == [("yes", [None, 1, []])]


def test_with_targets_of_its_own_a_stage_may_do_both() -> None:
    def ask(number: int) -> Iterator[Any]:
        yield number
        yield To("no", number)

    pipe = routed(ask, to="yes", routes="no")
    assert sorted(pipe.collect([1])) == [("no", 1), ("yes", 1)]


# --------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("kind", KINDS)
def test_an_undeclared_target_is_refused_with_what_to_add(kind: str) -> None:
    error = failure(routed(lambda n: To("maybe", n), kind))
    assert isinstance(error, UsageError)
    assert str(error).startswith("stage 'ask' (")
    assert "it sends to 'maybe', which it has not declared; add routes=['maybe']" in str(error)


def test_a_target_that_exists_and_is_not_declared_is_refused() -> None:
    assert "it sends to 'source'" in str(failure(routed(lambda n: To("source", n))))


def test_a_static_target_is_no_route() -> None:
    pipe = routed(lambda n: To("yes", n), to=["yes", "no"], routes=[])
    assert "it sends to 'yes', which it has not declared" in str(failure(pipe))


@pytest.mark.parametrize("kind", KINDS)
def test_an_undeclared_target_is_refused_although_failures_are_skipped(kind: str) -> None:
    pipe = routed(lambda n: To("maybe", n), kind, on_error="skip")
    assert isinstance(failure(pipe), UsageError)


def test_the_line_that_makes_it_is_in_the_traceback() -> None:
    def ask(number: int) -> To[int]:
        return To("maybe", number)

    frames = []
    traceback = failure(routed(ask)).__traceback__
    while traceback is not None:
        frames.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert "ask" in frames


def test_a_plain_value_of_a_stage_with_routes_alone_is_refused() -> None:
    error = failure(routed(lambda n: n))
    assert (
        "it has only routes, so it sends To(name, value); for values of their own add to="
        in str(error)
    )


def test_a_stage_that_neither_routes_nor_sends_back_may_not_send() -> None:
    pipe = Pipeline()
    pipe.source([1])
    pipe.processor(lambda n: To("end", n), name="ask")
    pipe.consumer(abs, name="end")
    assert "it sends to 'end', which it has not declared" in str(failure(pipe))


# --------------------------------------------------------------------------- whose it is


def test_it_is_checked_for_the_stage_that_makes_it_and_not_for_those_around() -> None:
    pipe = Pipeline()
    pipe.source([1])
    pipe.processor(abs, name="before")
    pipe.processor(lambda n: To("end", n), name="ask", routes="end")
    pipe.consumer(lambda n: n, name="end")
    assert pipe.collect() == [1]
    pipe.configure("before", routes=[])
    pipe.configure("ask", routes=["end"])
    assert pipe.collect() == [1]


def test_a_flush_may_send_while_another_stage_draws() -> None:
    class Keep(Stage):
        def setup(self) -> None:
            self.kept: list[int] = []

        def process(self, item: int) -> None:
            self.kept.append(item)

        def flush(self) -> Iterator[To[int]]:
            yield from (To("gather", item) for item in self.kept)

    pipe = Pipeline()
    pipe.source([1, 2])
    pipe.add(Keep(), routes="gather")
    pipe.accumulator(lambda items: (item for item in items), name="gather")
    assert pipe.collect() == [1, 2]


def test_a_run_within_a_stage_has_targets_of_its_own() -> None:
    def outer(number: int) -> list[tuple[str, int]]:
        return routed(lambda n: To("yes", n)).collect([number])

    pipe = Pipeline()
    pipe.source([1])
    pipe.processor(outer)
    assert pipe.collect() == [[("yes", 1)]]
