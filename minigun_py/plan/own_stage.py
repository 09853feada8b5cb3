"""What a stage of one's own is derived from, and what the stages that come ready derive from."""

from __future__ import annotations

from typing import Any

__all__ = ["NumberedStage", "Stage", "TimedStage"]


class Stage:
    """A step of a pipeline. Subclass it for one that keeps state, and give it to ``pipe.add``.

    Every worker has a copy of its own, made before `setup`. What `setup`, `process` and `flush`
    keep in ``self`` is theirs alone.

    Example:
        >>> from minigun_py import Pipeline, Stage
        >>> class Total(Stage):
        ...     def setup(self):
        ...         self.total = 0
        ...     def process(self, item):
        ...         self.total += item
        ...     def flush(self):
        ...         return self.total
        >>> pipe = Pipeline("sum")
        >>> total = pipe.add(Total(), name="total")
        >>> pipe.collect([1, 2, 3])
        [6]
    """

    __slots__ = ()

    def setup(self) -> Any:
        """Make ready; once for each worker, before its first item."""

    def process(self, item: Any) -> Any:
        """Take an item. What it returns or yields is emitted, as by the function of a stage."""
        raise NotImplementedError(f"{type(self).__name__} does not say in process what it does")

    def flush(self) -> Any:
        """Return or yield what is still held: no item will follow. Not called after a cut."""

    def teardown(self) -> Any:
        """Give back what `setup` took; once for each worker, after its last item."""


class TimedStage(Stage):
    """A stage that emits when it is time, also while no item comes.

    Its worker tells it what the time is, and asks when it wants to be asked again.
    """

    now: float = 0.0
    """The time, in monotonic seconds; kept up to date by its worker."""

    @property
    def watches_time(self) -> bool:
        """Whether it will ever be due."""
        return True

    @property
    def due(self) -> float | None:
        """When it wants to be asked for what is due; None while nothing is."""
        raise NotImplementedError

    def take_due(self) -> list[Any]:
        """What has to be emitted now."""
        raise NotImplementedError


class NumberedStage(Stage):
    """A stage that tells which of its items it has finished with, whatever it has emitted."""

    number: int = 0
    """The number of the item that it is given next; kept up to date by its worker."""
    let_go: list[range]
    """The numbers of those that it has finished with; made in `setup`, emptied by its worker."""

    @property
    def takes_many(self) -> bool:
        """Whether it can take many items in at once, since nothing in that can fail."""
        return False

    def process_many(self, items: list[Any]) -> list[Any]:
        """Take items in, of which the first has the `number`. Returns what it emits."""
        raise NotImplementedError
