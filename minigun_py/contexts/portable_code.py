"""Stages on their way to a worker that has not inherited them, pickled by value.

Functions of ``__main__``, lambdas and closures go as they are, by cloudpickle; functions of
modules go by name, and the worker imports these, from the same ``sys.path``. ``__main__`` itself
is never imported again: the worker gets the classes that were defined there, so that items of
these classes can be pickled by name on both sides, which is fast.

*Lock order*: the lock of what cloudpickle takes by value is a leaf.
"""

from __future__ import annotations

import functools
import importlib.machinery
import os
import pickle
import sys
import threading
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cloudpickle

from minigun_py.contexts.kernel import Functions, Kernel
from minigun_py.contexts.log_forwarding import Levels, levels_here
from minigun_py.errors import NotPicklable

__all__ = ["import_path", "pack_code", "pack_functions", "unpack_code", "unpack_functions"]

_turn = threading.RLock()  # what cloudpickle takes by value is a list of the whole process


def import_path() -> list[str]:
    """``sys.path`` with the current directory by name, for an interpreter that starts anew."""
    return [path or os.getcwd() for path in sys.path]


def pack_code(kernel: Kernel) -> bytes:
    """The kernel, the classes of modules that a worker cannot import, and the log levels.

    Raises:
        NotPicklable: Something in a stage cannot cross.
    """
    with _homeless_by_value(kernel.functions) as homeless:
        classes = {m.__name__: _classes_of(m) for m in {sys.modules["__main__"], *homeless}}
        try:
            return bytes(cloudpickle.dumps((kernel, classes, levels_here()), protocol=5))
        except Exception as error:
            stages = ", ".join(kernel.stages)
            raise NotPicklable(f"{stages} cannot be sent to a worker: {error}") from error


def pack_functions(functions: Functions) -> bytes:
    """Functions by themselves. Raises what pickling raises."""
    with _homeless_by_value(functions):
        return bytes(cloudpickle.dumps(tuple(functions), protocol=5))


def unpack_functions(code: bytes) -> Functions:
    """The functions again. Raises what importing their modules raises."""
    functions: Functions = pickle.loads(code)
    return functions


def unpack_code(code: bytes) -> tuple[Kernel, Levels]:
    """In the worker: the kernel again, ready for items of the parent's own classes.

    Raises:
        NotPicklable: It cannot be rebuilt here; a module that does not load is one reason.
    """
    try:
        kernel, classes, levels = pickle.loads(code)
    except Exception as error:
        raise NotPicklable(
            f"a stage cannot be rebuilt in a worker: {type(error).__name__}: {error}"
        ) from error
    for name, members in classes.items():
        module = sys.modules.setdefault(name, types.ModuleType(name))
        vars(module).update(members)
    return kernel, levels


@contextmanager
def _homeless_by_value(functions: Functions) -> Iterator[list[types.ModuleType]]:
    """Have cloudpickle take what is in modules that a worker cannot import by value."""
    with _turn:
        homeless = [module for module in _modules_of(functions) if not _importable(module)]
        for module in homeless:
            cloudpickle.register_pickle_by_value(module)
        try:
            yield homeless
        finally:
            for module in homeless:
                cloudpickle.unregister_pickle_by_value(module)


def _modules_of(functions: Functions) -> list[types.ModuleType]:
    """The modules of functions, but for `__main__`, which is by value anyway."""
    names = {getattr(_written(function), "__module__", None) for function in functions}
    return [sys.modules[n] for n in names if n in sys.modules and n != "__main__"]


def _written(function: Any) -> Any:
    """What somebody has written: the function of a partial, the method of a bound one."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__func__", function)


def _importable(module: types.ModuleType) -> bool:
    if "." in module.__name__ or module.__name__ in sys.builtin_module_names:
        return True  # its package was imported from the path
    spec = importlib.machinery.PathFinder.find_spec(module.__name__, import_path())
    return spec is not None and spec.origin == getattr(module, "__file__", None)


def _classes_of(module: types.ModuleType) -> dict[str, type]:
    """Classes that were written in the module, by name; without those that cannot be pickled."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and _crosses(value)
    }


def _crosses(value: Any) -> bool:
    try:
        cloudpickle.dumps(value, protocol=5)
    except Exception:
        return False
    return True
