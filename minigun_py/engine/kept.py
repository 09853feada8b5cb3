"""Which items a stage keeps, as its worker sees it: those that it has not finished with. Pure.

Items are numbered as the stage takes them in, from 0 on. Of most stages only one thing is known:
when one emits, it may have finished with all that it took in before. A `NumberedStage` tells by
number, so that what it keeps is known even if later items have gone.
"""

from __future__ import annotations

from minigun_py.plan.own_stage import NumberedStage

__all__ = ["Kept"]


class Kept:
    """The items that the first stage of one worker keeps.

    Args:
        stage: The stage, if it tells by number what it has finished with.
    """

    __slots__ = ("_base", "_finished", "_gone", "_stage", "_told", "held", "settled", "taken")

    def __init__(self, stage: NumberedStage | None = None) -> None:
        self._stage = stage
        self.taken = 0
        """How many items it has taken in; also the number of the next one."""
        self.settled = 0
        """With all items before this number it has finished."""
        self.held = 0
        """How many it kept at the last `tell`."""
        self._finished: list[range] = []  # by number, since `finished` was asked
        self._base = 0  # the number of the first item of the lease at hand
        self._told = 0  # how much of `settled` was told
        self._gone = 0  # of the items from `settled` on: those it has finished with

    def take(self, count: int = 1) -> None:
        """The stage takes so many items in."""
        if self._stage is not None:
            self._stage.number = self.taken
        self.taken += count

    def emitted(self) -> None:
        """The stage has emitted something."""
        if self._stage is None:
            self.settled = self.taken

    def flushed(self) -> None:
        """The stage has emitted all that it had."""
        self.settled = self.taken

    def failed(self) -> None:
        """The item that was taken in last has failed."""
        self._finished.append(range(self.taken - 1, self.taken))

    @property
    def last_taken(self) -> int | None:
        """The item that was taken in last, as the lease at hand numbers it."""
        return self.taken - 1 - self._base if self.taken else None

    def finished(self) -> list[range]:
        """The items finished with since this was last asked, as the lease at hand numbers them.

        Its items count from 0; what was kept of earlier leases has numbers below.
        """
        finished = self._finished
        if self._stage is not None:
            finished += self._stage.let_go
            self._stage.let_go.clear()
        if self.settled > self._told:
            self._gone = 0
        self._gone += sum(max(0, s.stop - max(s.start, self.settled)) for s in finished)
        spans = [range(self._told - self._base, self.settled - self._base)]
        for span in finished:
            _add(spans, range(span.start - self._base, span.stop - self._base))
        self._finished, self._told = [], self.settled
        return [span for span in spans if span]

    def tell(self, received: int) -> list[range]:
        """As `finished`, at the end of a lease of so many items."""
        end = self._base + received
        self._finished.append(range(self.taken, end))  # what it was not given it does not keep
        self.taken = max(self.taken, end)
        spans = self.finished()
        self.held = self.taken - self.settled - self._gone
        self._base = end
        return spans


def _add(spans: list[range], span: range) -> None:
    last = spans[-1]
    if last.stop == span.start:
        spans[-1] = range(last.start, span.stop)
    else:
        spans.append(span)
