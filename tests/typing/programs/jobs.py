# pyright: strict
"""A `Job` is a class like others: its methods keep their types, and so do those of its bases."""

from collections.abc import Iterator
from typing import assert_type, reveal_type

from minigun_py import (
    FailedItem,
    Job,
    Pipeline,
    RunReport,
    after_run,
    batch,
    before,
    consumer,
    deduplicate,
    on_failure,
    part,
    processor,
    producer,
    rebatch,
    unbatch,
)


class Census(Job):
    max_processes = 2
    reroutes = {"parse": ["store"]}  # noqa: RUF012

    def __init__(self, root: str) -> None:
        self.root = root

    def connect(self) -> int:
        return len(self.root)

    def first(self, row: str) -> str:
        return row[0]

    @producer
    def lines(self) -> Iterator[str]:
        yield self.root

    @processor(execution="fork", workers=2, setup=connect, key=first)
    def parse(self, line: str, state: int) -> str:
        return line * state

    once = deduplicate(first, name="once")
    rows = batch(100, max_wait=1.0, key=first, max_pending=1000)
    pages = rebatch(10)
    single = unbatch()
    inner = part(Pipeline("inner"))

    @consumer
    def store(self, row: str) -> None: ...

    @before("parse")
    def begin(self) -> None: ...

    @on_failure
    def keep(self, failed: FailedItem[str]) -> None: ...

    @after_run
    def tell(self, report: RunReport) -> None: ...

    @processor(wokers=2)  # error
    def misspelt(self, row: str) -> str:
        return row

    @consumer(on_error="ignore")  # error
    def misled(self, row: str) -> None: ...

    several = batch("100")  # error
    wide = batch(100, max_width=3)  # error
    unique = deduplicate(once_only=True)  # error


census = Census("/")
reveal_type(census.parse)  # reveals: (line: str, state: int) -> str
reveal_type(Census.store)  # reveals: (self: Census, row: str) -> None
assert_type(census.run(), RunReport)
assert_type(census.pipe, Pipeline)
Census(1)  # error
census.parse(1, 1)  # error
