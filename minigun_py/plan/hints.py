"""Resource hints turned into advice: the kind of context and the number of workers they ask for.

A hint says what a stage needs, not how to run it. What serves it best depends on where the
program runs: computing in Python goes into processes where there is a global lock, and into
threads where there is none. One hint decides the kind, the one highest in `RANK`; each bounds the
number. The user's own words, `execution=` and `workers=`, stand above any advice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from minigun_py.contexts.surroundings import Surroundings
from minigun_py.errors import UsageError
from minigun_py.placement import GPU, ContextKind, Memory, ResourceHint
from minigun_py.record import record

__all__ = ["Advice", "advise", "checked_hints", "parallel_kind"]

RANK: Final = ("GPU", "HEAVY_CPU", "HEAVY_IO", "LIGHT_IO", "LIGHT_CPU", "Memory")
"""Names of hints; among several the first decides the kind. DEFAULT has no say."""

THREADS_FOR_SHORT_WAITS: Final = 4
"""Threads of LIGHT_IO: a disk or a database near by serves few at once."""

THREADS_FOR_LONG_WAITS: Final = 32
"""Threads of HEAVY_IO: more would cost more memory and switching than a wait is worth."""

COROUTINES_FOR_SHORT_WAITS: Final = 16
"""Coroutines of LIGHT_IO at once, and of those that only say what memory they need."""

COROUTINES_FOR_LONG_WAITS: Final = 100
"""Coroutines of HEAVY_IO at once: cheap, but a server at the other end bears only so many."""

_CONSTANTS: Final = ("LIGHT_CPU", "HEAVY_CPU", "LIGHT_IO", "HEAVY_IO", "DEFAULT")
_CALLS: Final = {"Memory": 'Memory("2GiB")', "GPU": "GPU(1)"}
_THERE_ARE: Final = ", ".join([*_CONSTANTS, *_CALLS.values()])


@record
class Advice:
    """Where a stage should run. None: the hints say nothing of it."""

    kind: ContextKind | None
    workers: int | None
    reason: str
    """Words for `explain`."""


def parallel_kind(surroundings: Surroundings) -> ContextKind:
    """The cheapest kind here in which Python really runs on several processors at once."""
    return _parallel(surroundings)[0]


def advise(hints: Sequence[ResourceHint], coroutine: bool, surroundings: Surroundings) -> Advice:
    """What the hints of one stage ask for here; `coroutine` if its function is one."""
    telling = sorted((h for h in hints if h.name in RANK), key=lambda h: RANK.index(h.name))
    if not telling:
        return Advice(None, None, "no hint says where it should run")
    first = telling[0]
    if coroutine:
        kind, workers, why = ContextKind.ASYNC, *_coroutines(first)
    else:
        kind, workers, why = _placed(first, surroundings)
    reason = f"{first}: {why}"
    for hint in telling:
        most, because = _bound(hint, coroutine, surroundings)
        if most is not None and most < workers:
            workers, reason = most, f"{reason}; {hint}: {because}, so at most {most}"
    return Advice(kind, workers, reason)


def checked_hints(value: object, where: str) -> tuple[ResourceHint, ...]:
    """One hint, or a list or tuple of them, as a tuple.

    Raises `UsageError`, naming `where`, for anything else, and for two amounts of one resource.
    """
    given = value if isinstance(value, list | tuple) else (value,)
    hints = tuple(_checked(hint, where) for hint in given)
    for name in _CALLS:
        amounts = [str(hint) for hint in hints if hint.name == name]
        if len(amounts) > 1:
            raise UsageError(f"{where}: {' and '.join(amounts)} cannot both hold; give one of them")
    return hints


def _placed(hint: ResourceHint, surroundings: Surroundings) -> tuple[ContextKind, int, str]:
    """Kind, number and reason for a plain function."""
    match hint.name:
        case "GPU":
            why = "a forked child cannot use CUDA that its parent has begun to use, so processes"
            return ContextKind.PROCESS, max(1, surroundings.gpus), why
        case "HEAVY_IO":
            return ContextKind.THREAD, THREADS_FOR_LONG_WAITS, "it mostly waits, so many threads"
        case "LIGHT_IO":
            return ContextKind.THREAD, THREADS_FOR_SHORT_WAITS, "it waits a little, so few threads"
        case "LIGHT_CPU":
            return ContextKind.INLINE, 1, "it is over sooner than a worker would be asked"
        case _:  # HEAVY_CPU, or memory alone: whoever counts bytes has work for several
            kind, why = _parallel(surroundings)
            return kind, surroundings.cpus, why


def _coroutines(hint: ResourceHint) -> tuple[int, str]:
    """Number and reason for a coroutine, which can only run in an event loop."""
    match hint.name:
        case "HEAVY_CPU" | "LIGHT_CPU":
            why = "coroutines share one thread, so they compute one after the other"
            return 1, f"{why} (write def instead of async def for more)"
        case "HEAVY_IO":
            return COROUTINES_FOR_LONG_WAITS, "it mostly waits, so many coroutines"
        case "LIGHT_IO":
            return COROUTINES_FOR_SHORT_WAITS, "it waits a little, so some coroutines"
        case _:
            return COROUTINES_FOR_SHORT_WAITS, "a coroutine runs in an event loop"


def _bound(
    hint: ResourceHint, coroutine: bool, surroundings: Surroundings
) -> tuple[int | None, str]:
    """How many workers the hint allows, whoever decides the kind; None for any number."""
    match hint.name:
        case "GPU":
            return max(1, surroundings.gpus // hint.amount), f"{surroundings.gpus} are here"
        case "Memory" if surroundings.memory is not None:
            most = max(1, surroundings.memory // hint.amount)
            return most, f"{surroundings.memory} bytes are here"
        case "HEAVY_CPU" if not coroutine:
            return surroundings.cpus, f"{surroundings.cpus} processors are here"
        case "HEAVY_CPU" | "HEAVY_IO" | "LIGHT_IO" if coroutine:
            return _coroutines(hint)
        case "HEAVY_IO" | "LIGHT_IO":
            return _placed(hint, surroundings)[1:]
        case _:  # a little computing beside something heavier is no reason for fewer
            return None, ""


def _parallel(surroundings: Surroundings) -> tuple[ContextKind, str]:
    if not surroundings.gil:
        return ContextKind.THREAD, "Python has no global lock here, so threads"
    if surroundings.can_fork:
        return ContextKind.FORK, "Python has a global lock here, so processes"
    if surroundings.can_subinterpret:
        return ContextKind.SUBINTERPRETER, "Python has a global lock here, so interpreters"
    return ContextKind.PROCESS, "Python has a global lock here and cannot fork, so processes"


def _checked(hint: Any, where: str) -> ResourceHint:
    if isinstance(hint, str):
        meant = _meant(hint)
        raise UsageError(f"{where}: a resource hint is a constant, not the text {hint!r}; {meant}")
    if isinstance(hint, ResourceHint) and hint.name in _CONSTANTS:
        return hint
    for name, function in (("Memory", Memory), ("GPU", GPU)):
        empty = isinstance(hint, ResourceHint) and hint.name == name and hint.amount < 1
        if empty or hint is function:
            raise UsageError(f"{where}: {name} needs an amount; call it, as in {_CALLS[name]}")
    if not isinstance(hint, ResourceHint) or hint.name not in _CALLS:
        raise UsageError(f"{where}: no resource hint {hint!r}; there are {_THERE_ARE}")
    return hint


def _meant(text: str) -> str:
    import difflib  # here: it is for those who err

    spellings = {name.upper(): name for name in (*_CONSTANTS, *_CALLS)}
    close = difflib.get_close_matches(text.partition("(")[0].upper(), spellings, n=1)
    if not close:
        return f"there are {_THERE_ARE}"
    name = spellings[close[0]]
    then = f"call it, as in {_CALLS[name]}" if name in _CALLS else "give that"
    return f"import {name} and {then}"
