"""With `stream_outputs` what an item emits leaves at once, and is not taken back."""

from __future__ import annotations

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from faults.kinds import KINDS, AnyPipeline, kinds_that
from minigun_py import Pipeline, PipelineFailed, To, UsageError


def spreads(pipe: AnyPipeline, spread: Callable[[Any], Iterator[Any]], **options: Any) -> None:
    """Declare a stage that yields, as its kind wants it."""

    async def spread_awaiting(item: Any) -> Any:
        for value in spread(item):
            yield value

    function = spread_awaiting if pipe.awaits else spread
    Pipeline.processor(pipe, function, name="spread", stream_outputs=True, **options)


def counted(number: int) -> Iterator[tuple[int, int]]:
    for part in range(number):
        yield number, part


def counted_till_it_fails(number: int) -> Iterator[tuple[int, int]]:
    yield from counted(number)
    if number == 3:
        raise ValueError(number)


def counted_till_it_dies(number: int) -> Iterator[tuple[int, int]]:
    yield from counted(number)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)


def endless(_: int) -> Iterator[int]:
    yield from itertools.count()


def refuse_first(number: int) -> Iterator[int]:
    if number == 3 and attempts(number) == 1:
        raise OSError(number)
    yield number


def attempts(_: int) -> int:
    from minigun_py import current

    return current().attempt


def test_everything_arrives_once(pipe: AnyPipeline) -> None:
    pipe.source(range(8))
    spreads(pipe, counted)
    with pipe.stream() as stream:
        given = sorted(stream)
    assert given == sorted((n, part) for n in range(8) for part in range(n))
    book = stream.report["spread"]
    assert (book.completed, book.filtered, book.emitted) == (7, 1, 28)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "inline"])
def test_an_output_is_there_before_the_stage_goes_on(kind: str, tmp_path: Path) -> None:
    pipe, gate = AnyPipeline("early", kind), str(tmp_path / "gate")
    os.mkfifo(gate)

    def waits(number: int) -> Iterator[int]:
        yield number
        with open(gate) as file:
            file.read()
        yield -number

    pipe.source([5])
    spreads(pipe, waits)
    with pipe.stream() as stream:
        assert next(stream) == 5
        with open(gate, "w") as file:
            file.write("go on")
        assert next(stream) == -5


def test_inline_it_is_used_up_before_the_stage_goes_on() -> None:
    seen: list[int] = []
    pipe = Pipeline("early")
    pipe.source([3])

    @pipe.processor(stream_outputs=True)
    def spread(number: int) -> Iterator[int]:
        for part in range(number):
            yield part
            assert seen[-1] == part

    pipe.processor(lambda part: part, name="same")
    pipe.consumer(seen.append, name="keep")
    pipe.run(execution="inline")
    assert seen == [0, 1, 2]


def test_what_left_before_a_failure_is_said_and_kept(pipe: AnyPipeline) -> None:
    pipe.source(range(5))
    spreads(pipe, counted_till_it_fails, on_error="skip", retry=3)
    with pipe.stream() as stream:
        given = sorted(stream)
    assert given == sorted((n, part) for n in range(5) for part in range(n))
    (failed,) = stream.report.failures
    assert (failed.item, failed.attempts) == (3, 1)
    assert "3 of its outputs had left by then, and are not taken back" in failed.error.__notes__


@kinds_that("survives_crash")
def test_so_it_is_when_the_worker_dies(kind: str, pipe: AnyPipeline) -> None:
    pipe.source(range(5))
    spreads(pipe, counted_till_it_dies, on_error="skip", retry=3)
    with pipe.stream() as stream:
        given = sorted(stream)
    assert given == sorted((n, part) for n in range(5) for part in range(n))
    (failed,) = stream.report.failures
    assert failed.item == 3
    assert "3 of its outputs had left by then, and are not taken back" in failed.error.__notes__
    assert stream.report["spread"].emitted == 10


def test_an_item_that_has_given_nothing_is_tried_again(pipe: AnyPipeline) -> None:
    pipe.source(range(5))
    spreads(pipe, refuse_first, retry=2)
    assert sorted(pipe.collect()) == [0, 1, 2, 3, 4]


def test_outputs_may_be_sent_by_name(pipe: AnyPipeline) -> None:
    def sorted_out(number: int) -> Iterator[Any]:
        for part in range(number):
            yield To("aside", part) if part % 2 else part

    pipe.source([6])
    spreads(pipe, sorted_out, to="usual", routes="aside")
    pipe.processor(lambda part: ("usual", part), name="usual", to=[])
    pipe.processor(lambda part: ("aside", part), name="aside", to=[])
    assert sorted(pipe.collect()) == [
        *(("aside", part) for part in (1, 3, 5)),
        *(("usual", part) for part in (0, 2, 4)),
    ]


def test_outputs_may_come_back_in_a_loop(pipe: AnyPipeline) -> None:
    def halved(number: int) -> Iterator[Any]:
        yield number
        if number > 1:
            yield To("spread", number // 2)

    pipe.source([8, 5])
    spreads(pipe, halved, feedback="spread", to=[])
    assert sorted(pipe.collect()) == [1, 1, 2, 2, 4, 5, 8]


def test_an_item_is_finished_when_all_its_outputs_are(pipe: AnyPipeline, tmp_path: Path) -> None:
    pipe.source(range(5))
    spreads(pipe, counted)

    @pipe.consumer(on_error="skip")
    def check(value: tuple[int, int]) -> None:
        if value == (3, 1):
            raise ValueError(value)

    path = tmp_path / "job.db"
    pipe.run(checkpoint=path)
    assert pipe.run(checkpoint=path).already_finished == 4


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "inline"])
def test_a_consumer_holds_back_a_stage_that_never_ends(kind: str) -> None:
    pipe = AnyPipeline("endless", kind)
    pipe.source([1])
    spreads(pipe, endless)
    pipe.consumer(abs, name="keep", queue_size=5)
    with pipe.stream() as stream:
        assert list(itertools.islice(stream, 3000)) == [*range(3000)]
    assert stream.report["keep"].peak_queue <= 5


@kinds_that("not shares_memory")
def test_an_output_that_cannot_cross_fails_its_item(kind: str, pipe: AnyPipeline) -> None:
    def unsendable(number: int) -> Iterator[Any]:
        yield number
        yield threading.Lock() if number == 2 else -number

    pipe.source(range(1, 4))
    spreads(pipe, unsendable, on_error="skip")
    with pipe.stream() as stream:
        assert sorted(stream) == [-3, -1, 1, 2, 3]
    (failed,) = stream.report.failures
    assert failed.item == 2


def test_an_undeclared_target_ends_the_run(pipe: AnyPipeline) -> None:
    def astray(number: int) -> Iterator[Any]:
        yield To("nowhere", number)

    pipe.source([1])
    spreads(pipe, astray)
    with pytest.raises(PipelineFailed) as caught:
        pipe.run()
    assert "sends to 'nowhere', which it has not declared" in str(caught.value.exceptions[0])


@pytest.mark.parametrize(
    "declare",
    [
        lambda pipe: pipe.processor(len, ordered=True, stream_outputs=True),
        lambda pipe: pipe.batch(3, stream_outputs=True),
        lambda pipe: pipe.source([1], stream_outputs=True),
        lambda pipe: pipe.accumulator(sorted, stream_outputs=True),
        lambda pipe: pipe.processor(len, stream_outputs=1),
    ],
)
def test_where_it_has_no_meaning_it_is_refused(declare: Callable[[Pipeline], Any]) -> None:
    with pytest.raises(UsageError, match="stream_outputs"):
        declare(Pipeline("wrong"))
