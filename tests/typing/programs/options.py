# pyright: strict
"""An unknown option is an error, and so is a value of a wrong type."""

from collections.abc import Iterator
from typing import Unpack

from minigun_py import HEAVY_CPU, LIGHT_IO, Memory, Pipeline, StageOptions

pipe = Pipeline("numbers", execution="thread", workers=2, max_processes=4, on_error="skip")
Pipeline("numbers", max_procesess=4)  # error
Pipeline("numbers", workers="many")  # error
Pipeline("numbers", on_error="ignore")  # error


@pipe.producer
def numbers() -> Iterator[int]:
    yield 1


@pipe.processor(
    name="half",
    execution="fork",
    workers="auto",
    from_=numbers,
    to=["store", "log"],
    routing="round_robin",
    ordered=True,
    queue_size=10,
    chunk=1,
    on_error=lambda failed: "skip",
    dead_letter="trash",
    max_failures=0.05,
    rate="20/s",
    resources=[HEAVY_CPU, Memory("1GiB")],
    setup=lambda: 1,
    teardown=lambda state: None,
    max_items_per_worker=100,
    start_method="spawn",
    fallback="error",
)
def halve(number: int, state: int) -> float:
    return number / 2 + state


@pipe.processor(routes=[numbers, "log"], feedback=pipe["half"], key=lambda number: number % 2)
def third(number: int) -> float:
    return number / 3


@pipe.processor(routing=lambda number: "log", to=pipe)
def routed(number: int) -> float:
    return number / 3


pipe.processor(third, name=3)  # error
pipe.processor(third, worker=2)  # error
pipe.processor(third, workers="many")  # error
pipe.processor(third, workers=1.5)  # error
pipe.processor(third, ordered="yes")  # error
pipe.processor(third, queue_size="1000")  # error
pipe.processor(third, on_error="ignore")  # error
pipe.processor(third, on_error="dead_letter", dead_letter=None, max_failures=3)
pipe.processor(third, dead_letter=3)  # error
pipe.processor(third, max_failures="many")  # error
pipe.processor(third, fallback="maybe")  # error
pipe.processor(third, routing="random")  # error
pipe.processor(third, resources="a lot")  # error
pipe.processor(third, to=1)  # error
pipe.processor(third, key="name")  # error
pipe.processor(third, setup=3)  # error
pipe.producer(numbers, excution="thread")  # error
pipe.accumulator(third, stream="yes")  # error
pipe.consumer(third, rate=20)  # error


@pipe.processor(wokers=2)  # error
def misspelt(number: int) -> int:
    return number


# ------------------------------------------------------------------ what is ready made

pipe.source([1, 2], name="source", queue_size=10)
pipe.source(1)  # error
pipe.source([1], queue="long")  # error
pipe.batch(100, max_wait=1.0, key=len, max_bytes=1000, max_pending=500, name="rows", workers=2)
pipe.batch("100")  # error
pipe.batch(100, max_wait="1 s")  # error
pipe.batch(100, max_weight=1)  # error
pipe.rebatch(10, name="pages", key=len)
pipe.rebatch(10, max_wait=1)  # error
pipe.unbatch(name="single", execution="inline")
pipe.unbatch(size=10)  # error
pipe.deduplicate(len, name="once", queue_size=10)
pipe.deduplicate("name")  # error

# ------------------------------------------------------------------ said for several

with pipe.defaults(execution="thread", workers=8, chunk=1, fallback="error"):
    pass

pipe.defaults(name="a")  # error
pipe.defaults(workers="eight")  # error
pipe.context("db", "thread", 4)
pipe.context("db", "thread", "4")  # error

# ------------------------------------------------------------------ kept in a variable

OFTEN: StageOptions = {"workers": 2, "execution": "thread"}
WRONG: StageOptions = {"wokers": 2}  # error
pipe.processor(third, **OFTEN)


def declare(**options: Unpack[StageOptions]) -> None:
    pipe.processor(third, resources=LIGHT_IO)
    pipe.consumer(third, **options)


declare(workers=2)
declare(wokers=2)  # error
