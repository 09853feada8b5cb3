"""What a stage's function assigns to outside of itself, found before the run.

A worker with a memory of its own has a copy of the function and of the variables around it. What
the copy assigns to them is lost to everybody else, without an error. The code of the function
tells; it is not run.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MethodType
from typing import Any

__all__ = ["assigned_elsewhere"]


def assigned_elsewhere(function: Callable[..., Any]) -> tuple[str, ...]:
    """Variables outside of it that it assigns to: ``global x``, ``nonlocal x``, ``self.x``.

    A copy of the function in another process assigns to a copy of the variable. Changing what a
    variable holds, as in ``seen.append(item)``, is no assignment and is not found.
    """
    found: set[str] = set()
    for code, bound in _layers(function):
        receiver = code.co_varnames[0] if bound and code.co_argcount else None
        found.update(_assigned(code, frozenset(code.co_freevars), receiver))
    return tuple(sorted(found))


def _layers(function: Any) -> Iterator[tuple[CodeType, bool]]:
    """The code of a function and of all that it wraps, and whether it is bound to an object."""
    bound = False
    seen: list[object] = []
    while function is not None and not any(function is before for before in seen):
        seen.append(function)
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function, bound = function.__func__, True
        elif isinstance(function, FunctionType):
            yield function.__code__, bound
            function = getattr(function, "__wrapped__", None)
        elif hasattr(function, "__wrapped__"):  # a cache, for one
            function = function.__wrapped__
        else:
            function, bound = getattr(type(function), "__call__", None), True  # noqa: B004


def _assigned(code: CodeType, free: frozenset[str], receiver: str | None) -> Iterator[str]:
    """Outer variables that it assigns to; of its free variables only those that are `free`."""
    instructions = [i for i in dis.get_instructions(code) if i.opname != "EXTENDED_ARG"]
    for position, instruction in enumerate(instructions):
        name = instruction.argval
        match instruction.opname:
            case "STORE_GLOBAL" | "DELETE_GLOBAL":
                yield f"global {name}"
            case "STORE_DEREF" | "DELETE_DEREF" if name in free:
                yield f"nonlocal {name}"
            case "STORE_ATTR" | "DELETE_ATTR" if receiver is not None:
                if _object_at(instructions, position) == receiver:
                    yield f"{receiver}.{name}"
    for nested in code.co_consts:
        if isinstance(nested, CodeType):
            names = frozenset(nested.co_freevars)
            yield from _assigned(nested, free & names, receiver if receiver in names else None)


def _object_at(instructions: list[dis.Instruction], position: int) -> str | None:
    """The variable whose attribute the instruction there assigns to."""
    load = instructions[position - 1]
    if load.opname == "SWAP":  # self.x += 1 has loaded self before it read self.x
        name = instructions[position].argval
        for at in range(position - 2, 1, -1):
            read, copy = instructions[at], instructions[at - 1]
            if (read.opname, read.argval, copy.opname) == ("LOAD_ATTR", name, "COPY"):
                load = instructions[at - 2]
                break
    if "LOAD_FAST" not in load.opname and load.opname != "LOAD_DEREF":
        return None
    loaded = load.argval  # a pair where one instruction does two things
    return str(loaded[-1] if isinstance(loaded, tuple) else loaded)
