"""The outputs of a run as an iterator that owns the run: leaving it early ends everything."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

from minigun_py.engine.report import RunReport
from minigun_py.engine.run import Run

__all__ = ["Stream"]


class Stream:
    """Iterate over it, or use it as a context manager; ``break`` ends the run at once.

    Raises what the run raises, after the outputs that came before.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ended: list[RunReport] = []
        self._outputs = _drawn(run, self._ended)
        next(self._outputs)  # from here on the generator's end is the run's end

    def __iter__(self) -> Self:
        return self

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
        self._outputs.close()


def _drawn(run: Run, ended: list[RunReport]) -> Generator[Any, None, None]:
    """The outputs. No method: a generator that knew its stream would keep it, and so the run."""
    run.begin()
    try:
        yield None
        yield from run.outputs()
    except BaseException as error:
        ended.append(run.end_early("the stream was left"))
        error.report = ended[0]  # type: ignore[attr-defined]
        raise
    try:
        ended.append(run.conclude())
    except BaseException as error:
        ended.append(error.report)  # type: ignore[attr-defined]
        raise
