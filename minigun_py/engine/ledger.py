"""Counts every item; the only place that does.

The books: each item that a stage received ends in exactly one state, and what was sent along the
edges into a stage was received by it or discarded in a cut. `imbalances` says where that does not
hold, which would be a bug of this library, and is checked at the end of every run.

*Lock order*: one lock, a leaf, held for a few additions per chunk.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from minigun_py.contexts.answer import Harvest, StageCounts
from minigun_py.engine.latency import Latency, LatencyHistogram
from minigun_py.plan.stage import DeclaredStage, Producer
from minigun_py.primitives.channel import ChannelStatistics
from minigun_py.record import record

__all__ = ["Ledger", "StageBook"]


@record(frozen=False)
class StageBook(StageCounts):
    """What one stage did: the counts of its chunks and more. Seconds are summed over workers."""

    skipped: int = 0
    dead_lettered: int = 0
    retried: int = 0
    discarded: int = 0
    busy: float = 0.0
    blocked: float = 0.0
    starved: float = 0.0
    peak_queue: int = 0
    workers: int = 1
    latency: Latency | None = None

    def imbalance(self) -> int:
        """Items received that have no end, or have two."""
        put_aside = self.skipped + self.dead_lettered
        return self.received - (
            self.completed + self.filtered + self.failed + put_aside + self.cancelled
        )


class Ledger:
    """The books of one run, by stage."""

    def __init__(self, stages: Iterable[DeclaredStage]) -> None:
        self._lock = threading.Lock()  # guards every number in the books
        self._books = {stage.name: StageBook() for stage in stages}
        self._sources = {stage.name for stage in stages if isinstance(stage, Producer)}
        self._sent: dict[str, int] = {}
        self._times = {stage.name: LatencyHistogram() for stage in stages}

    def employ(self, stages: Iterable[str], workers: int) -> None:
        """Note how many workers a segment has."""
        for name in stages:
            self._books[name].workers = workers

    def harvested(self, stages: tuple[str, ...], harvest: Harvest) -> None:
        """Enter what a kernel made of a chunk. The time is the first stage's."""
        items = harvest.counts[0].received
        with self._lock:
            if items > 0:
                self._times[stages[0]].add(harvest.seconds / items, items)
            for name, counts in zip(stages, harvest.counts, strict=True):
                self._books[name].add(counts)
            self._books[stages[0]].busy += harvest.seconds

    def drawn(self, source: str, items: int, seconds: float, failed: int) -> None:
        """Enter items that were taken from a source as they are there, and whether that failed."""
        with self._lock:
            book = self._books[source]
            book.emitted += items
            book.usual += items
            book.failed += failed
            book.busy += seconds

    def failed(self, stage: str) -> None:
        """Enter an item that failed because its worker died."""
        with self._lock:
            self._books[stage].received += 1
            self._books[stage].failed += 1

    def emitted(self, stage: str, outputs: int) -> None:
        """Enter outputs of an item whose worker died."""
        with self._lock:
            self._books[stage].emitted += outputs
            self._books[stage].usual += outputs

    def retried(self, stage: str) -> None:
        """Enter an attempt that failed, after which there will be another."""
        with self._lock:
            self._books[stage].retried += 1

    def put_aside(self, stage: str, *, skipped: int = 0, dead_lettered: int = 0) -> None:
        """Turn failed items into others: the policy let the run go on."""
        with self._lock:
            self._books[stage].failed -= skipped + dead_lettered
            self._books[stage].skipped += skipped
            self._books[stage].dead_lettered += dead_lettered

    def failures(self, stage: str) -> tuple[int, int]:
        """How many items of a stage have failed, whatever became of them, and of how many."""
        with self._lock:
            book = self._books[stage]
            return book.failed + book.skipped + book.dead_lettered, book.received

    def cancelled(self, stage: str, count: int) -> None:
        """Enter items that were lent out when the run was cut."""
        with self._lock:
            self._books[stage].received += count
            self._books[stage].cancelled += count

    def waited(self, stage: str, *, blocked: float = 0.0, starved: float = 0.0) -> None:
        """Enter time in which a stage could not go on."""
        with self._lock:
            self._books[stage].blocked += blocked
            self._books[stage].starved += starved

    def inbox_closed(self, stage: str, channel: ChannelStatistics) -> None:
        """Enter what the inbox of a stage says at the end."""
        with self._lock:
            book = self._books[stage]
            book.discarded = channel.discarded
            book.starved += channel.starved_seconds
            book.peak_queue = channel.peak
            self._sent[stage] = channel.sent

    def snapshot(self) -> dict[str, StageBook]:
        """A copy of the books as they are now."""
        with self._lock:
            copies = {
                stage: StageBook(**{name: getattr(book, name) for name in StageBook.__match_args__})
                for stage, book in self._books.items()
            }
            for stage, book in copies.items():
                book.latency = self._times[stage].latency()
        return copies

    def imbalances(self, cut: bool = True) -> list[str]:
        """Where the books do not balance, in words. Asked when everything has ended.

        Where the run was not `cut`, nothing may have been left behind.
        """
        wrong: list[str] = []
        for stage, book in self.snapshot().items():
            if stage not in self._sources and book.imbalance():
                wrong.append(f"{stage} received {book.received} items, {book.imbalance()} unended")
            if not cut and (book.cancelled or book.discarded):
                left = book.cancelled + book.discarded
                wrong.append(f"{left} items were left at {stage}, though nothing cut the run")
            sent = self._sent.get(stage)
            if sent is not None and sent != book.received + book.discarded:
                wrong.append(
                    f"{sent} items were sent to {stage}, which received {book.received} "
                    f"and discarded {book.discarded}"
                )
        return wrong
