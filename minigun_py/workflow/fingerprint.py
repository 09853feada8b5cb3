"""By which a call is known again: what the code of a function is, and what it is given. Pure.

Of code counts what is compiled, with constants and defaults, what it closes over, and the plain
functions of its own package that it calls, and they call. What else may change unseen (a library,
a file, a global variable) does not.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any

__all__ = ["code_print", "value_print"]


def code_print(function: Callable[..., Any]) -> str:
    """The same text for the same code under the same version of Python."""
    digest = hashlib.sha256(sys.version.encode())
    for part in _parts(function, set()):
        digest.update(part)
    return digest.hexdigest()


def value_print(value: Any) -> str | None:
    """The same text for what pickles alike; None for what cannot be pickled."""
    try:
        return hashlib.sha256(pickle.dumps(value, protocol=5)).hexdigest()
    except Exception:
        return None


def _parts(function: Any, seen: set[int]) -> Iterator[bytes]:
    if id(function) in seen:
        return
    seen.add(id(function))
    if isinstance(function, partial):
        yield repr(_print_of((function.args, function.keywords))).encode()
        function = function.func
    function = getattr(function, "__wrapped__", getattr(function, "__func__", function))
    if not isinstance(function, FunctionType):
        yield repr(_print_of(function)).encode()
        return
    yield from _of_code(function.__code__)
    yield repr(_print_of((function.__defaults__, function.__kwdefaults__))).encode()
    for cell in function.__closure__ or ():
        yield from _of_value(_content(cell), seen)
    package = (function.__module__ or "").partition(".")[0]
    for name in _global_names(function.__code__):
        value = function.__globals__.get(name)
        if isinstance(value, FunctionType) and value.__module__.partition(".")[0] == package:
            yield from _parts(value, seen)


def _of_code(code: CodeType) -> Iterator[bytes]:
    yield code.co_code
    yield repr((code.co_names, code.co_varnames, code.co_freevars)).encode()
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
        else:
            yield repr(
                sorted(constant, key=repr) if isinstance(constant, frozenset) else constant
            ).encode()


def _of_value(value: Any, seen: set[int]) -> Iterator[bytes]:
    if isinstance(value, FunctionType):
        yield from _parts(value, seen)
    else:
        yield repr(_print_of(value)).encode()


def _global_names(code: CodeType) -> list[str]:
    inner = [name for c in code.co_consts if isinstance(c, CodeType) for name in _global_names(c)]
    return list(dict.fromkeys([*code.co_names, *inner]))


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # nothing is in it yet
        return None


def _print_of(value: Any) -> str:
    """Of what cannot be pickled only the type counts."""
    return value_print(value) or f"{type(value).__module__}.{type(value).__qualname__}"
