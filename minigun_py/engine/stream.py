"""The outputs of a run as an iterator that owns the run: leaving it early ends everything.

One that is left without being closed, as by an error that nobody catches, is closed when the
program ends: as long as it has threads.
"""

from __future__ import annotations

import atexit
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any, Self
from weakref import WeakSet

from minigun_py.engine.report import RunReport
from minigun_py.engine.run import Run

__all__ = ["Stream"]

Drawn = Generator[Iterable[Any], None, None]
_OPEN: WeakSet[Drawn] = WeakSet()
os.register_at_fork(after_in_child=_OPEN.clear)  # a copy has none of the threads


class Stream:
    """Iterate over it, or use it as a context manager; ``break`` ends the run at once.

    Raises what the run raises, after the outputs that came before.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ended: list[RunReport] = []
        self._drawn = _drawn(run, self._ended)
        next(self._drawn)  # from here on the generator's end is the run's end
        _OPEN.add(self._drawn)
        self._outputs: Iterator[Any] = chain.from_iterable(self._drawn)

    def __iter__(self) -> Iterator[Any]:
        return self._outputs  # without a step of ours for every output

    def __next__(self) -> Any:
        return next(self._outputs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def report(self) -> RunReport:
        """What the run did: final once it has ended, before that as it stands."""
        return self._ended[0] if self._ended else self._run.statistics()

    def close(self) -> None:
        """End the run, if it has not ended, and wait until everything is closed."""
        self._drawn.close()


def _drawn(run: Run, ended: list[RunReport]) -> Drawn:
    """The outputs, some at a time.

    No method: a generator that knew its stream would keep it, and so the run.
    """
    program = os.getpid()
    run.begin()
    try:
        yield ()
        for some in run.outputs():
            given = iter(some)
            try:
                yield given
            except GeneratorExit:
                _drop(given)
                raise
    except BaseException as error:
        if os.getpid() != program:  # a copy that the user has forked has none of its threads
            raise
        ended.append(run.end_early("the stream was left"))
        error.report = ended[0]  # type: ignore[attr-defined]
        raise
    try:
        ended.append(run.conclude())
    except BaseException as error:
        ended.append(error.report)  # type: ignore[attr-defined]
        raise


def _drop(given: Iterator[Any]) -> None:
    """Have nothing more come of what nobody wants, whoever still holds it."""
    close = getattr(given, "close", None)
    if close is not None:  # a generator, which may take note of what it gives
        close()
    else:
        deque(given, maxlen=0)


@atexit.register
def _close_all() -> None:
    for drawn in tuple(_OPEN):
        with suppress(ValueError):  # another thread is at it
            drawn.close()
