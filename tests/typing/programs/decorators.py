# pyright: strict
"""A decorator returns the function as it was, whatever its form."""

from collections.abc import Iterator
from typing import assert_type, reveal_type

from minigun_py import FailedItem, Pipeline, RunReport

pipe = Pipeline("words")


@pipe.producer
def words() -> Iterator[str]:
    yield "a"


@pipe.processor
def length(word: str, factor: int = 1) -> int:
    return len(word) * factor


@pipe.processor(execution="thread", workers=2)
async def fetch(word: str) -> bytes:
    return word.encode()


@pipe.accumulator(key=len)
def pairs(items: Iterator[str]) -> Iterator[tuple[str, str]]:
    yield from zip(items, items, strict=True)


@pipe.consumer()
def store(pair: tuple[str, str]) -> None: ...


reveal_type(words)  # reveals: () -> Iterator[str]
reveal_type(length)  # reveals: (word: str, factor: int = ...) -> int
reveal_type(fetch)  # reveals: (word: str) -> Coroutine[Any, Any, bytes]
reveal_type(pairs)  # reveals: (items: Iterator[str]) -> Iterator[tuple[str, str]]
reveal_type(store)  # reveals: (pair: tuple[str, str]) -> None

length(1)  # error
length("a", factor="b")  # error
store("a")  # error

# ------------------------------------------------------------------ declared by a call

upper = pipe.processor(str.upper, name="upper")
assert_type(upper("a"), str)

pipe.processor(1)  # error
pipe.consumer("length")  # error

# ------------------------------------------------------------------ hooks


@pipe.before_run
def connect() -> None: ...


@pipe.before(length)
def before_length() -> None: ...


@pipe.after("store")
def after_store() -> None: ...


@pipe.after_run
def tell(report: RunReport) -> None: ...


@pipe.on_failure
def keep(failed: FailedItem[str]) -> str:
    return failed.item


reveal_type(connect)  # reveals: () -> None
reveal_type(before_length)  # reveals: () -> None
reveal_type(tell)  # reveals: (report: RunReport) -> None
reveal_type(keep)  # reveals: (failed: FailedItem[str]) -> str

pipe.before_run(1)  # error
