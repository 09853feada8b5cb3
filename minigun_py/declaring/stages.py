"""The decorators and methods by which stages are declared.

A decorator returns the function unchanged. Everything is checked where it is declared, with the
file and the line of the function.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from minigun_py.declaring.grounds import caller
from minigun_py.engine.ready_made import Batch, Deduplicate, Rebatch, unbatch
from minigun_py.errors import UsageError
from minigun_py.plan.options import Options
from minigun_py.plan.own_stage import Stage
from minigun_py.plan.signature import location
from minigun_py.plan.stage import (
    Accumulator,
    Consumer,
    DeclaredStage,
    OwnStage,
    Processor,
    Producer,
)
from minigun_py.run_options import check_iterable

if TYPE_CHECKING:
    from minigun_py.plan.stage_options import ReadyMadeOptions, StageOptions, UnnamedOptions

__all__ = ["StageDecorators"]

F = TypeVar("F", bound=Callable[..., Any])


class StageDecorators(ABC):
    """Whatever can be given stages."""

    @abstractmethod
    def _options(
        self, given: Mapping[str, Any], where: str, stays: bool = False, timed: bool = False
    ) -> Options:
        """The options of a stage that is declared now.

        One that `stays` runs in the caller; for a `timed` one, a default of `timeout` holds.
        """

    @abstractmethod
    def _keep(self, member: DeclaredStage) -> None:
        """Make a stage a member."""

    @overload
    def producer(self, function: F, /, **options: Unpack[StageOptions]) -> F: ...
    @overload
    def producer(self, /, **options: Unpack[StageOptions]) -> Callable[[F], F]: ...
    def producer(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a source: a generator function, or one that emits with ``output``."""
        return self._decorate(Producer, function, options)

    @overload
    def processor(self, function: F, /, **options: Unpack[StageOptions]) -> F: ...
    @overload
    def processor(self, /, **options: Unpack[StageOptions]) -> Callable[[F], F]: ...
    def processor(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a stage that makes of each item any number of others.

        With ``stream=True`` its function takes an iterator over the items and yields.
        """
        return self._decorate(Processor, function, options)

    @overload
    def accumulator(self, function: F, /, **options: Unpack[StageOptions]) -> F: ...
    @overload
    def accumulator(self, /, **options: Unpack[StageOptions]) -> Callable[[F], F]: ...
    def accumulator(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a stage that turns the stream of items into another.

        Its function takes an iterator over the items and yields. When the iterator ends it yields
        what it still holds. With several workers it needs ``key``, and each sees whole keys.
        """
        return self._decorate(Accumulator, function, options)

    @overload
    def consumer(self, function: F, /, **options: Unpack[StageOptions]) -> F: ...
    @overload
    def consumer(self, /, **options: Unpack[StageOptions]) -> Callable[[F], F]: ...
    def consumer(self, function: Any = None, /, **options: Any) -> Any:
        """Declare a stage that ends a branch. What it returns is an output of the pipeline."""
        return self._decorate(Consumer, function, options)

    def source(
        self, items: Iterable[Any], *, name: str = "source", **options: Unpack[UnnamedOptions]
    ) -> DeclaredStage:
        """Declare a producer that gives the elements of an iterable."""
        at = caller()
        where = f"source {name!r} ({at})"
        check_iterable(items, where)
        stage = Producer(name, self._options(options, where, stays=True), at, items)
        self._keep(stage)
        return stage

    # ------------------------------------------------------------- ready-made stages

    def batch(
        self,
        size: int,
        max_wait: float | None = None,
        *,
        key: Callable[[Any], Any] | None = None,
        max_bytes: int | None = None,
        max_pending: int | None = None,
        name: str = "batch",
        **options: Unpack[ReadyMadeOptions],
    ) -> DeclaredStage:
        """Declare a stage that gathers items into lists.

        Args:
            size: Items in a full list.
            max_wait: Seconds after which a list goes although it is not full; None waits.
            key: Items of different keys go into different lists.
            max_bytes: A list does not grow beyond so many bytes, as they are estimated.
            max_pending: When the lists of all keys hold so many items, all of them go.
            name: As for any stage.
            **options: As for any stage.
        """
        arguments = {
            "size": size,
            "max_wait": max_wait,
            "key": key,
            "max_bytes": max_bytes,
            "max_pending": max_pending,
        }
        made = Batch(f"stage {name!r} ({caller()})", **arguments)
        return self._add_stage(made, name, _with_key(key, options))

    def rebatch(
        self, size: int, *, name: str = "rebatch", **options: Unpack[UnnamedOptions]
    ) -> DeclaredStage:
        """Declare a stage that makes lists of `size` items out of lists of other sizes."""
        made = Rebatch(f"stage {name!r} ({caller()})", size=size)
        return self._add_stage(made, name, options)

    def deduplicate(
        self,
        key: Callable[[Any], Any] | None = None,
        *,
        name: str = "deduplicate",
        **options: Unpack[ReadyMadeOptions],
    ) -> DeclaredStage:
        """Declare a stage that lets an item pass only the first time that its key is seen.

        Without `key` an item is its own key. Keys are kept in memory until the run ends.
        """
        made = Deduplicate(f"stage {name!r} ({caller()})", key=key)
        return self._add_stage(made, name, _with_key(key or _itself, options))

    def unbatch(self, *, name: str = "unbatch", **options: Unpack[UnnamedOptions]) -> DeclaredStage:
        """Declare a stage that emits the elements of each list; what is no list passes whole."""
        at = caller()
        stage = Processor(name, self._options(options, f"stage {name!r} ({at})"), at, unbatch)
        self._keep(stage)
        return stage

    def _decorate(
        self, role: Callable[..., DeclaredStage], function: Any, options: dict[str, Any]
    ) -> Any:
        def declare(function: Any) -> Any:
            given = dict(options)
            at = location(function) or caller()
            name = given.pop("name", None) or _name_of(function, at)
            stays = role in (Producer, Accumulator)
            timed = role is Processor and not given.get("stream")
            said = self._options(given, f"stage {name!r} ({at})", stays, timed)
            self._keep(role(name, said, at, function))
            return function

        return declare if function is None else declare(function)

    def _add_stage(self, made: Stage, name: str, options: Mapping[str, Any]) -> DeclaredStage:
        at = caller()
        said = self._options(options, f"stage {name!r} ({at})", stays=True)
        stage = OwnStage(name, said, at, made)
        self._keep(stage)
        return stage


def _with_key(key: Callable[[Any], Any] | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a stage that does something by key: so do its workers share the items."""
    return {**options} if key is None else {"key": key, **options}


def _itself(item: Any) -> Any:
    return item


def _name_of(function: Any, at: str) -> str:
    name = getattr(function, "__name__", None)
    if not name or name == "<lambda>":
        raise UsageError(
            f"a stage ({at}): {function!r} has no name of its own; give the stage one with name="
        )
    return str(name)
