"""Where work may run, as data: kinds of contexts, what is wanted of one, and resource hints.

A kind names a way of running. What a kind can do is told by the traits of its context, never
by asking for its name.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

from minigun_py.errors import UsageError
from minigun_py.record import record

__all__ = [
    "ALIASES",
    "DEFAULT",
    "GPU",
    "HEAVY_CPU",
    "HEAVY_IO",
    "LIGHT_CPU",
    "LIGHT_IO",
    "ContextKind",
    "ContextSpec",
    "Memory",
    "ResourceHint",
    "StartMethod",
    "parse_kind",
]


class ContextKind(StrEnum):
    """The ways of running a stage."""

    INLINE = "inline"
    """In the caller, one item after the other."""

    THREAD = "thread"
    """In N threads of this process."""

    ASYNC = "async"
    """In N coroutines on one event loop."""

    FORK = "fork"
    """In N forked processes that live as long as the run."""

    COW_FORK = "cow_fork"
    """In a forked process for every item, at most N at once."""

    SUBINTERPRETER = "subinterpreter"
    """In N interpreters of this process, each with a global lock of its own."""

    PROCESS = "process"
    """In N freshly started processes."""


ALIASES: Final = {
    "threaded": ContextKind.THREAD,
    "spawn_thread": ContextKind.THREAD,
    "fork_ipc": ContextKind.FORK,
    "ipc_fork": ContextKind.FORK,
    "spawn_fork": ContextKind.COW_FORK,
    "ractor": ContextKind.SUBINTERPRETER,
    "spawn_ractor": ContextKind.SUBINTERPRETER,
}
"""Words of Ruby's Minigun, and what they are called here."""

LATER_KINDS: Final = frozenset(["ray", "dask"])

StartMethod = Literal["spawn", "forkserver"]


def parse_kind(kind: str) -> ContextKind:
    """The kind of that name or alias. Raises `UsageError` if there is none."""
    known = isinstance(kind, str)  # else it may not even be a key
    if known and kind in set(ContextKind):
        return ContextKind(kind)
    if known and kind in ALIASES:
        return ALIASES[kind]
    if known and kind in LATER_KINDS:
        raise UsageError(f"execution {kind!r} is not available in this version of minigun_py")
    import difflib  # here: it is for those who err

    close = [
        *difflib.get_close_matches(str(kind), list(ContextKind), n=1),
        *difflib.get_close_matches(str(kind), list(ALIASES), n=1),
    ]
    hint = f"did you mean {str(close[0])!r}?" if close else f"there are {', '.join(ContextKind)}"
    raise UsageError(f"no kind of execution {kind!r}; {hint}")


@record
class ContextSpec:
    """A context that is wanted: what kind, and how many workers."""

    kind: ContextKind
    workers: int = 1
    max_items: int | None = None
    """Items after which a worker is replaced by a fresh one; None keeps it."""
    start_method: StartMethod | None = None
    """How fresh processes are started; None leaves it to the kind."""

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"a context needs at least one worker, not {self.workers}")
        if self.kind is ContextKind.INLINE and self.workers != 1:
            raise ValueError(f"inline runs one item at a time; {self.workers} workers need threads")

    def __str__(self) -> str:
        return self.kind.value if self.workers == 1 else f"{self.kind.value} x {self.workers}"


@record
class ResourceHint:
    """What a stage mostly needs. `amount` is bytes for memory, devices for GPU, else 0."""

    name: str
    amount: int = 0

    def __str__(self) -> str:
        return self.name if not self.amount else f"{self.name}({self.amount})"


LIGHT_CPU: Final = ResourceHint("LIGHT_CPU")
"""A little computing for each item."""

HEAVY_CPU: Final = ResourceHint("HEAVY_CPU")
"""Much computing in Python for each item: one worker for every processor."""

LIGHT_IO: Final = ResourceHint("LIGHT_IO")
"""Short waits: files, a database near by."""

HEAVY_IO: Final = ResourceHint("HEAVY_IO")
"""Long waits: a network. Many at once."""

DEFAULT: Final = ResourceHint("DEFAULT")
"""Nothing in particular."""

_UNITS: Final = {"": 1, "B": 1} | {
    f"{prefix}{infix}B".upper(): base**power
    for power, prefix in enumerate("KMGT", start=1)
    for infix, base in (("", 1000), ("i", 1024))
}


def Memory(amount: int | str) -> ResourceHint:
    """Each worker needs so much memory: bytes, or text such as "2GiB" or "500 MB"."""
    import re  # here: few stages say so

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(amount))
    unit = _UNITS.get(found[2].upper().removesuffix("B") + "B" * bool(found[2])) if found else None
    if found is None or unit is None or float(found[1]) * unit < 1:
        raise UsageError(f"Memory is a number of bytes, or text such as '2GiB', not {amount!r}")
    return ResourceHint("Memory", int(float(found[1]) * unit))


def GPU(count: int = 1) -> ResourceHint:
    """Each worker needs so many GPUs to itself."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:  # type: ignore[redundant-expr]
        raise UsageError(f"GPU is a whole number of devices from 1 on, not {count!r}")
    return ResourceHint("GPU", count)
