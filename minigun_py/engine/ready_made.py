"""Stages that nobody should have to write again: batches, their undoing, and duplicates.

They are written as anybody's own stages are. `Batch` alone knows of time: its worker tells it what
the time is, and asks when it wants to be asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final, Self

from minigun_py.engine.batcher import Batcher
from minigun_py.plan.options import check_positive, check_seconds, checked_options
from minigun_py.plan.own_stage import NumberedStage, Stage, TimedStage
from minigun_py.plan.passing import Passing, passing

__all__ = ["Batch", "Deduplicate", "ReadyMade", "Rebatch", "unbatch"]


class ReadyMade(Stage):
    """A stage with arguments that are checked, and that can be changed by name afterwards."""

    does: ClassVar[str]
    """What it does, in the words of a plan."""

    def __init__(self, where: str, **arguments: Any) -> None:
        for name, value in arguments.items():
            _CHECKS[name](value, where)
        self.arguments = arguments

    def with_arguments(self, where: str, **changes: Any) -> Self:
        """The same with other arguments."""
        return type(self)(where, **(self.arguments | changes))


class _Gathering(NumberedStage, ReadyMade):
    """What gathers with a `Batcher`, whose arguments it has."""

    def setup(self) -> None:
        """Begin with no list."""
        self._batcher: Batcher[Any] = Batcher(**self.arguments)
        self.let_go = self._batcher.let_go

    def flush(self) -> Iterator[list[Any]]:
        """What is left goes."""
        yield from self._batcher.flush()


@passing(Passing.IN_LISTS)
class Batch(_Gathering, TimedStage):
    """Gathers items into lists; for the arguments see `Batcher`."""

    does = "gathers items into lists"

    @property
    def watches_time(self) -> bool:
        """Whether its lists go after a time."""
        return self.arguments["max_wait"] is not None

    @property
    def due(self) -> float | None:
        """When the oldest list has waited long enough."""
        return self._batcher.due

    def take_due(self) -> list[list[Any]]:
        """The lists that have."""
        return self._batcher.take_due(self.now)

    def process(self, item: Any) -> Iterator[list[Any]]:
        """Keep the item; lists that are full go."""
        yield from self._batcher.add((item,), self.now, self.number)

    @property
    def takes_many(self) -> bool:
        """Whether nobody has to be asked about an item."""
        return self._batcher.takes_many

    def process_many(self, items: list[Any]) -> list[list[Any]]:
        """Keep items; lists that are full go."""
        return self._batcher.add_many(items, self.now, self.number)


@passing(Passing.REGROUPED)
class Rebatch(_Gathering):
    """Makes lists of another size out of lists, or out of single items."""

    does = "makes lists of another size"

    def process(self, item: Any) -> Iterator[list[Any]]:
        """Keep the elements; lists that are full go."""
        yield from self._batcher.add(unbatch(item), 0.0, self.number)


@passing(Passing.SAME)
class Deduplicate(ReadyMade):
    """Lets an item pass whose key has not been seen in this run."""

    does = "lets each item pass once"

    def setup(self) -> None:
        """Begin with nothing seen."""
        self._key = self.arguments["key"]
        self._seen: set[Any] = set()

    def process(self, item: Any) -> Iterator[Any]:
        """Emit it if it is the first of its kind."""
        key = item if self._key is None else self._key(item)
        if key not in self._seen:
            self._seen.add(key)
            yield item


@passing(Passing.AS_ELEMENTS)
def unbatch(item: Any) -> Iterator[Any]:
    """The elements of a list or of another iterable; text, bytes, mappings and others whole."""
    if isinstance(item, Iterable) and not isinstance(item, str | bytes | bytearray | Mapping):
        yield from item
    else:
        yield item


def _count(option: str) -> Callable[[Any, str], Any]:
    return lambda value, where: check_positive(option, value, where)


def _optional_count(option: str) -> Callable[[Any, str], Any]:
    return lambda value, where: None if value is None else check_positive(option, value, where)


_CHECKS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "size": _count("size"),
    "max_wait": lambda value, where: check_seconds("max_wait", value, where),
    "key": lambda value, where: checked_options({"key": value}, where),
    "max_bytes": _optional_count("max_bytes"),
    "max_pending": _optional_count("max_pending"),
}
