"""What a context is given to run: a kernel, and how its workers and the kernel take turns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from minigun_py.contexts.answer import Harvest
from minigun_py.primitives.cancel import CancelToken
from minigun_py.record import field, record

__all__ = [
    "BoundCoroutines",
    "BoundKernel",
    "Control",
    "Functions",
    "Kernel",
    "Post",
    "PutOut",
    "Turns",
    "WaitForRoom",
]

Functions = Sequence[Callable[..., Any]]
"""What the user wrote for some stages."""


def _nobody_listens() -> None:
    """There is no run that could drain."""


@record
class Control:
    """A worker's line to its run, for `current()`."""

    cancel: CancelToken = field(default_factory=CancelToken)
    drain: Callable[[], None] = _nobody_listens


@record
class Post:
    """Where a worker stands: its number in its context, from 1 on, and its line to the run."""

    worker: int = 1
    control: Control = field(default_factory=Control)


class Turns(Protocol):
    """What a worker is given to work on, turn by turn. Made by a context for one worker."""

    def next(self) -> Iterable[Any] | None:
        """Hand in what came of the items before, and take the next ones.

        None: no item will follow, and what is held is to be emitted. Raises what ends the work.
        """
        ...

    @property
    def flush(self) -> bool:
        """Whether this turn brings no items, but has what is held emitted at once."""
        ...

    @property
    def attempt(self) -> int:
        """How often the items of this turn are run with this turn; 1 for the first time."""
        ...

    def running(self) -> int:
        """The index, among the items of this turn, of the one that runs now."""
        ...

    def put_out(self, way_out: int, values: list[Any]) -> None:
        """Have outputs of the running item leave by an exit at once, waiting for room."""
        ...


class BoundKernel(Protocol):
    """A kernel with exits of its own. Belongs to one worker and is not shared."""

    def open(self) -> None:
        """Make ready: run what the stages want to have set up. Raises what that raises."""
        ...

    def close(self) -> None:
        """Tear down what `open` has set up, in the reverse order. Can be called twice."""
        ...

    def work(self, turns: Turns) -> None:
        """Run all items through the stages, turn by turn; what they emit goes to the exits.

        Ends when the turns have, with everything emitted that was held.
        """
        ...

    def harvest(self, received: int) -> Harvest:
        """Take what came since the last harvest of `received` items, and start anew.

        A kernel that holds items says which of these it has finished with; those that it was not
        given are among them.
        """
        ...


class PutOut(Protocol):
    """Has outputs of the running item leave by an exit at once."""

    def __call__(self, way_out: int, values: list[Any], /) -> None: ...


class WaitForRoom(Protocol):
    """Waits until there is room for what was put out."""

    async def __call__(self) -> None: ...


class BoundCoroutines(Protocol):
    """As `BoundKernel`, for a task on an event loop. Tasks of a loop share what is set up."""

    attempt: int
    """How often the items that are run next are run by then."""

    put_out: PutOut
    """As of `Turns`, but it does not wait."""

    wait_for_room: WaitForRoom
    """Waits for room after that."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def twin(self, post: Post) -> BoundCoroutines:
        """Another worker on the same loop, with what this one has set up."""
        ...

    async def run(self, items: Sequence[Any]) -> None: ...

    async def finish(self) -> None: ...

    def harvest(self, received: int) -> Harvest: ...


class Kernel(Protocol):
    """The stages of one segment as one function over a chunk."""

    @property
    def control(self) -> Control:
        """The line to the run, in the process of the run."""
        ...

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, the one that receives the items first."""
        ...

    @property
    def functions(self) -> tuple[Callable[..., Any], ...]:
        """What the user wrote for them."""
        ...

    @property
    def exit_stages(self) -> tuple[int, ...]:
        """For every exit, the index in `stages` of the stage that feeds it."""
        ...

    @property
    def forwards(self) -> Mapping[int, int]:
        """The exits whose outputs go to other workers without a look at them, in so many parts."""
        ...

    @property
    def timeout(self) -> float | None:
        """Seconds that a worker may be at one item; for contexts that can end it by force."""
        ...

    @property
    def max_rss(self) -> int | None:
        """Bytes beyond which a worker process is replaced when it has answered for a lease."""
        ...

    @property
    def streams(self) -> bool:
        """Whether outputs leave as they come, by `put_out`; then a lease has one item."""
        ...

    @property
    def holds(self) -> bool:
        """Whether its workers may keep items between leases, and so need a last lease each."""
        ...

    def bind(self, exits: Sequence[Any] | None = None, post: Post | None = None) -> BoundKernel:
        """A copy for one worker. An exit is anything with `append` and `extend`."""
        ...

    def bind_coroutines(self, post: Post) -> BoundCoroutines:
        """A copy for the first task of an event loop."""
        ...
