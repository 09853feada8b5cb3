"""What a stage is: a name, options, what the user wrote for it, and one of a few roles.

The role decides how the engine calls what the user wrote and where the stage may be placed; it is
the only thing about a stage that other rooms ask for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from minigun_py.errors import UsageError
from minigun_py.plan.options import Options
from minigun_py.plan.own_stage import Stage, TimedStage
from minigun_py.plan.signature import (
    Shape,
    shape_of_emitter,
    shape_of_flush,
    shape_of_process,
    shape_of_source,
    shape_of_stage,
    shape_of_stream,
)
from minigun_py.record import field, record

__all__ = [
    "Accumulator",
    "Consumer",
    "DeclaredStage",
    "OwnStage",
    "Processor",
    "Producer",
]


@record(eq=False)
class DeclaredStage(Stage):
    """A stage of a pipeline. Made by the decorators and methods of `Pipeline`, not by hand."""

    name: str
    options: Options
    location: str

    def __str__(self) -> str:
        where = f" ({self.location})" if self.location else ""
        return f"stage {self.name!r}{where}"

    @property
    def is_coroutine(self) -> bool:
        """Whether its function is written with ``async def``."""
        shape: Shape | None = getattr(self, "shape", None)
        return shape is not None and shape.coroutine

    @property
    def keeps_state(self) -> bool:
        """Whether it remembers: it has one lane in the caller if nothing else is said."""
        return False

    @property
    def keeps_items(self) -> bool:
        """Whether items may stay in it until no other will follow."""
        return False

    @property
    def pulls(self) -> bool:
        """Whether its function takes an iterator over the items."""
        return False

    @property
    def watches_time(self) -> bool:
        """Whether it emits when it is time, also while no item comes."""
        return False

    @property
    def cannot_go_on(self) -> bool:
        """Whether an error in it ends it, so that there is nothing to skip."""
        return self.pulls

    @property
    def chooses_targets(self) -> bool:
        """Whether it says itself, of every output, which of its targets get it."""
        return callable(self.options.routing) or self.options.routing == "partition"

    @property
    def worker_key(self) -> Callable[[Any], Any] | None:
        """What tells which of its workers an item goes to; None if any of them will do."""
        return None if self.options.routing == "partition" else self.options.key

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What is called for an item; None for a stage without a function."""
        return None

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """All that the user wrote for it and that runs where it runs."""
        said = self.options
        choice = (said.routing, said.key) if self.chooses_targets else ()
        given = (self.user_function, said.setup, said.teardown, *choice)
        return tuple(function for function in given if callable(function))


@record(eq=False)
class Producer(DeclaredStage):
    """A source. It has one worker, is never run again, and its error fails the run."""

    source: Callable[..., Any] | Iterable[Any]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        source = self.source
        shape = (
            shape_of_source(source, str(self))
            if callable(source)
            else Shape(partial(iter, source), many=True)
        )
        object.__setattr__(self, "shape", shape)
        _check_state(self, shape)
        _check_items(self)

    @property
    def cannot_go_on(self) -> bool:
        """It cannot."""
        return True

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What the user wrote; None if it gives the elements of an iterable."""
        return self.source if callable(self.source) else None


@record(eq=False)
class Processor(DeclaredStage):
    """Makes of each item any number of others; with ``stream=True``, of the stream another."""

    function: Callable[..., Any]
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        shape_of = shape_of_stream if self.pulls else shape_of_stage
        if self.options.stream_outputs:
            shape_of = shape_of_emitter
        object.__setattr__(self, "shape", shape_of(self.function, str(self)))
        _check_state(self, self.shape)
        _check_items(self)

    def process(self, item: Any) -> Any:
        """Call the function, as its caller would."""
        return self.function(item)

    @property
    def pulls(self) -> bool:
        """Whether its function takes an iterator over the items."""
        return self.options.stream

    @property
    def keeps_items(self) -> bool:
        """Whether it looks ahead."""
        return self.pulls

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What the user wrote."""
        return self.function


@record(eq=False)
class Consumer(Processor):
    """A processor that ends a branch: nothing follows it unless it has ``to``."""


@record(eq=False)
class Accumulator(Processor):
    """Turns a stream into a stream, and may keep what it likes until the stream ends."""

    @property
    def pulls(self) -> bool:
        """It does."""
        return True

    @property
    def keeps_state(self) -> bool:
        """It may."""
        return True

    @property
    def keeps_items(self) -> bool:
        """They may."""
        return True


@record(eq=False)
class OwnStage(DeclaredStage):
    """An instance of a `Stage` that the user has written, or of one that the library has ready."""

    instance: Stage
    shape: Shape = field(init=False)

    def __post_init__(self) -> None:
        if self.options.setup is not None or self.options.teardown is not None:
            raise UsageError(f"{self}: it has the methods setup and teardown; drop the options")
        object.__setattr__(self, "shape", shape_of_process(self.instance.process, str(self)))
        retry = self.options.retry
        if self.keeps_items and retry is not None and retry.fresh_state:
            raise UsageError(
                f"{self}: what it keeps would be lost with its state; drop fresh_state"
            )
        _check_items(self)
        if self.keeps_items:
            shape_of_flush(self.instance.flush, f"{self}, flush")

    @property
    def keeps_state(self) -> bool:
        """It may."""
        return True

    @property
    def watches_time(self) -> bool:
        """Whether the instance does."""
        return isinstance(self.instance, TimedStage) and self.instance.watches_time

    @property
    def keeps_items(self) -> bool:
        """They may, if it can be flushed."""
        return type(self.instance).flush is not Stage.flush

    @property
    def user_function(self) -> Callable[..., Any] | None:
        """What is called for an item."""
        return self.instance.process


def _check_state(stage: DeclaredStage, shape: Shape) -> None:
    """Refuse a state that nobody makes, or a teardown of nothing. Raises `UsageError`."""
    if shape.takes_state and stage.options.setup is None:
        raise UsageError(f"{stage}: it takes state, which setup= has to make")
    if stage.options.teardown is not None and stage.options.setup is None:
        raise UsageError(f"{stage}: teardown= takes what setup= has made, and there is no setup=")


def _check_streaming(stage: DeclaredStage) -> None:
    """Refuse what cannot be where outputs leave at once."""
    said = stage.options
    if not isinstance(stage, Processor) or stage.pulls:
        raise UsageError(
            f"{stage}: stream_outputs is for a function that is called for an item; what this "
            "stage gives leaves as it comes anyway, or when it has what it waits for"
        )
    if said.ordered:
        raise UsageError(
            f"{stage}: what leaves at once cannot wait for its place; drop ordered or "
            "stream_outputs"
        )


def _check_items(stage: DeclaredStage) -> None:
    """Refuse what is said of single items where a stage cannot go on behind one."""
    said = stage.options
    if said.stream_outputs:
        _check_streaming(stage)
    if said.ack is not None and not isinstance(stage, Producer):
        raise UsageError(f"{stage}: ack is told of the items that a source has given; it is none")
    if not stage.cannot_go_on:
        return
    what = "a producer" if isinstance(stage, Producer) else "it takes an iterator"
    for option, value in (("dead_letter", said.dead_letter), ("max_failures", said.max_failures)):
        if value is not None:
            raise UsageError(
                f"{stage}: {what}, so an error in it ends the run, and {option} has no meaning"
            )
    if said.timeout is not None:
        raise UsageError(f"{stage}: {what}, so no item has a time of its own; drop timeout")
