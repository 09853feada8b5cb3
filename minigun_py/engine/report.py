"""The ledger, read: what a run did, as a frozen record that prints as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from minigun_py.contexts.portable_errors import pack_error, unpack_error
from minigun_py.engine.latency import Latency
from minigun_py.engine.ledger import StageBook
from minigun_py.plain_text import one_line, printable
from minigun_py.record import as_dict, record

__all__ = ["FailedItem", "RunReport", "StageReport", "shown"]

T_co = TypeVar("T_co", covariant=True)


@record
class FailedItem(Generic[T_co]):
    """An item on which a stage failed, whatever the policy made of it.

    Annotate the parameter of a hook with the type of the items: ``failed: FailedItem[str]``.
    """

    stage: str
    item: T_co
    error: Exception
    attempts: int = 1
    """How often it was tried."""

    @property
    def traceback(self) -> str:
        """The traceback of its error, of the worker too, as text."""
        import traceback  # here: it is for runs in which something fails

        return "".join(traceback.format_exception(self.error))

    def __reduce__(self) -> tuple[Any, ...]:
        """As it crosses to a worker, where the error has no traceback of its own any more."""
        return _rebuilt, (self.stage, self.item, *pack_error(self.error), self.attempts)

    def shown(self, longest: int | None = None) -> str:
        """The item as text, cut short after so many characters; whatever its repr does."""
        return shown(self.item, longest)


def shown(value: Any, longest: int | None = None) -> str:
    """A value as text that can be printed, cut short if asked for, whatever its repr does."""
    try:
        return printable(repr(value), longest)
    except Exception:
        return f"<{type(value).__name__} whose repr fails>"


def _rebuilt(stage: str, item: Any, error: Exception, text: str, attempts: int) -> FailedItem[Any]:
    return FailedItem(stage, item, unpack_error((error, text)), attempts)


@record
class StageReport:
    """What one stage did.

    Attributes:
        received: Items that came in; each is counted in one of `completed`, `filtered`, `failed`,
            `skipped`, `dead_lettered` and `cancelled`.
        completed: Items that ended well.
        filtered: Items that ended well and emitted nothing (not counted for consumers).
        failed: Items whose failure ended the run.
        skipped: Items that failed and were left out.
        dead_lettered: Items that failed and went to the stage's `dead_letter`, or are kept in
            `RunReport.failed_items`.
        retried: Attempts that failed and were followed by another.
        cancelled: Items that were begun or waiting at a worker when the run was cut.
        emitted: Items that the stage gave out.
        discarded: Items that waited in its inbox when the run was cut.
        busy: Seconds in the stage's code, with the stages that share its context.
        blocked: Seconds in which results found no room downstream.
        starved: Seconds in which its workers waited for items.
        peak_queue: The most items that ever waited in its inbox.
        workers: How many items it works on at once.
        latency: Seconds that its items took, with the stages that share its context: `p50`, `p90`
            and `p99`. None where it is not the first stage of a context, and for producers.
    """

    received: int
    completed: int
    filtered: int
    failed: int
    skipped: int
    dead_lettered: int
    retried: int
    cancelled: int
    emitted: int
    discarded: int
    busy: float
    blocked: float
    starved: float
    peak_queue: int
    workers: int
    latency: Latency | None = None

    @classmethod
    def of(cls, book: StageBook) -> StageReport:
        """The page of the ledger, frozen."""
        return cls(**{name: getattr(book, name) for name in cls.__match_args__})


@record
class RunReport:
    """What a run did.

    `failures` holds the first thousand failed items, whatever became of them; `failed_items` the
    first thousand dead letters of stages that name no stage to get them. The counts know them all.
    `already_finished` are items of sources that were left out, since the checkpoint has them.
    """

    pipeline: str
    ok: bool
    duration: float
    stages: Mapping[str, StageReport]
    failures: tuple[FailedItem[Any], ...] = ()
    outputs: int = 0
    failed_items: tuple[FailedItem[Any], ...] = ()
    already_finished: int = 0

    def __getitem__(self, stage: str) -> StageReport:
        return self.stages[stage]

    @property
    def bottleneck(self) -> str | None:
        """The stage whose workers were busiest while the others waited; None if nothing ran."""
        load = {name: stage.busy / stage.workers for name, stage in self.stages.items()}
        busiest = max(load, key=load.__getitem__, default=None)
        return busiest if busiest is not None and load[busiest] > 0 else None

    def to_dict(self) -> dict[str, Any]:
        """Everything as values that JSON knows; items and errors by their repr."""
        return {
            "pipeline": self.pipeline,
            "ok": self.ok,
            "duration": self.duration,
            "outputs": self.outputs,
            "already_finished": self.already_finished,
            "bottleneck": self.bottleneck,
            "stages": {name: as_dict(stage) for name, stage in self.stages.items()},
            "failures": [_told(failed) for failed in self.failures],
            "failed_items": [_told(failed) for failed in self.failed_items],
        }

    def __str__(self) -> str:
        rows = [list(_COLUMNS), *(_row(name, stage) for name, stage in self.stages.items())]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
        lines = [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        ]
        ended = "ended well" if self.ok else "failed"
        head = f"{one_line(self.pipeline)}: {ended} after {self.duration:.2f} s"
        if self.bottleneck is not None:
            head += f"; the bottleneck is {self.bottleneck}"
        if self.already_finished:
            head += f"; {self.already_finished} items were finished before"
        return "\n".join([head, *lines])


def _told(failed: FailedItem[Any]) -> dict[str, Any]:
    return {
        "stage": failed.stage,
        "item": failed.shown(),
        "error": shown(failed.error),
        "attempts": failed.attempts,
    }


_COLUMNS: Final = (
    "stage", "workers", "received", "completed", "filtered", "failed", "skipped", "dead letters",
    "retried", "cancelled", "emitted", "busy s", "blocked s", "starved s", "peak queue",
)  # fmt: skip


def _row(name: str, stage: StageReport) -> list[str]:
    numbers = (
        stage.workers, stage.received, stage.completed, stage.filtered, stage.failed,
        stage.skipped, stage.dead_lettered, stage.retried, stage.cancelled, stage.emitted,
    )  # fmt: skip
    seconds = (stage.busy, stage.blocked, stage.starved)
    return [
        one_line(name),
        *map(str, numbers),
        *(f"{s:.2f}" for s in seconds),
        str(stage.peak_queue),
    ]
