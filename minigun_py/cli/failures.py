"""Prints what went wrong in a run, plainly, for a person who reads it in a terminal or a log."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from minigun_py import FailedItem, RunReport
from minigun_py.plain_text import one_line, printable

__all__ = ["failure_text", "skipped_text"]

MOST_SKIPPED = 20


def failure_text(errors: tuple[Exception, ...], report: RunReport) -> str:
    """DeclaredStage, item, error and traceback of everything that ended the run."""
    return "\n\n".join(_failure(error, report.failures) for error in errors)


def _failure(error: Exception, failures: tuple[FailedItem[object], ...]) -> str:
    trace = printable("".join(traceback.format_exception(error)).rstrip())
    for failed in failures:
        if failed.error is error:
            return f"stage {one_line(failed.stage)!r} failed on item {_item(failed)}:\n{trace}"
    return trace


def skipped_text(
    failures: tuple[FailedItem[object], ...], fatal: tuple[Exception, ...] = ()
) -> str:
    """A line for each item that was left out, up to a number; empty when there is none."""
    skipped = [f for f in failures if not any(f.error is error for error in fatal)]
    return "\n".join(_skipped_lines(skipped))


def _skipped_lines(skipped: list[FailedItem[object]]) -> Iterator[str]:
    for failed in skipped[:MOST_SKIPPED]:
        error = one_line(f"{type(failed.error).__name__}: {failed.error}")
        yield f"stage {one_line(failed.stage)!r} skipped item {_item(failed)}: {error}"
    if len(skipped) > MOST_SKIPPED:
        yield f"and {len(skipped) - MOST_SKIPPED} more; --report FILE lists them"


def _item(failed: FailedItem[object]) -> str:
    return one_line(repr(failed.item))
