"""What the stages of a worker have set up for themselves, made once and torn down once.

A setup is a function that returns the state, or a generator that yields it and tears down
after; either may be asynchronous. Everything is written as coroutines; where nothing has to be
awaited they are driven through without an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextvars import copy_context
from typing import Any

from minigun_py.contexts.event_loop import EventLoop
from minigun_py.engine.actor import actor_of
from minigun_py.engine.kept import Kept
from minigun_py.errors import UsageError
from minigun_py.plan.introspection import is_awaitable
from minigun_py.plan.signature import is_coroutine, is_generator
from minigun_py.plan.stage import DeclaredStage

__all__ = ["WorkerState"]


class WorkerState:
    """The states of one worker's stages, by the index of the stage."""

    def __init__(self, stages: Sequence[DeclaredStage]) -> None:
        self._stages = stages
        self.actors = [actor_of(stage) for stage in stages]
        """What is called for each stage."""
        self.values: list[Any] = [None] * len(stages)
        self.stage: str | None = None
        """The stage whose setup or teardown runs now."""
        self.kept = Kept(self.actors[0].numbered) if stages[0].keeps_items else None
        """What the first stage keeps, if it keeps items."""
        self._set_up: list[tuple[int, Any]] = []

    @property
    def awaits(self) -> bool:
        """Whether an event loop is needed to set up or tear down."""
        functions = [f for actor in self.actors for f in (actor.setup, actor.teardown)]
        return any(function is not None and is_coroutine(function) for function in functions)

    def open(self, loop: EventLoop) -> None:
        """Set up every stage, in order. If one raises, `close` tears down those before it."""
        self._context = copy_context()  # one for both ends: what a setup sets it may reset
        self._complete(self.open_async, loop)

    def close(self, loop: EventLoop) -> None:
        """Tear down what was set up, in reverse; the first error is raised when all is done."""
        if self._set_up:
            self._complete(self.close_async, loop)

    async def open_async(self) -> None:
        """As `open`, where a loop runs."""
        for index, stage in enumerate(self._stages):
            setup = self.actors[index].setup
            if setup is None:
                continue
            self.stage = stage.name
            try:
                self.values[index], rest = await _begin(stage, setup)
            except Exception as error:
                error.add_note(f"in the setup of stage {stage.name!r}")
                raise
            finally:
                self.stage = None
            self._set_up.append((index, rest))

    async def close_async(self) -> None:
        """As `close`, where a loop runs."""
        errors: list[Exception] = []
        while self._set_up:
            index, rest = self._set_up.pop()
            stage = self._stages[index]
            self.stage = stage.name
            try:
                await _end(rest, self.actors[index].teardown, self.values[index])
            except Exception as error:
                error.add_note(f"in the teardown of stage {stage.name!r}")
                errors.append(error)
            finally:
                self.stage = None
        if errors:
            raise errors[0]

    def _complete(self, work: Callable[[], Coroutine[Any, Any, None]], loop: EventLoop) -> None:
        if self.awaits:
            loop.run(work(), self._context)
            return
        try:
            work().send(None)
        except StopIteration:
            return
        raise AssertionError("nothing in it awaits")


async def _begin(stage: DeclaredStage, setup: Callable[[], Any]) -> tuple[Any, Any]:
    """The state, and the generator that is to be continued in the end, if it is one."""
    made = setup()
    try:
        if is_generator(setup):
            return (await anext(made) if is_coroutine(setup) else next(made)), made
    except (StopIteration, StopAsyncIteration):
        raise UsageError(f"{stage}: its setup yields no state") from None
    return (await made if is_coroutine(setup) else made), None


async def _end(rest: Any, teardown: Callable[[Any], Any] | None, state: Any) -> None:
    try:
        if teardown is not None:
            ended = teardown(state)
            if is_awaitable(ended):
                await ended
    finally:
        if rest is not None:
            await _continue(rest)


async def _continue(rest: Any) -> None:
    """Let a generator go on after its one ``yield``."""
    try:
        await anext(rest) if hasattr(rest, "__anext__") else next(rest)
    except (StopIteration, StopAsyncIteration):
        return
    raise UsageError("a setup yields one state, and this one yields another")
