"""Tries whether stages load in a subinterpreter, before any item is given to one.

A module whose C code keeps state for the whole process, as numpy does today, cannot be imported
there. Which modules a function needs is best found by loading it: an interpreter is made, the
pickled functions are rebuilt in it, and it is closed again. The answer is remembered.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any, Final

from minigun_py.contexts.forking import forking_turn
from minigun_py.contexts.kernel import Functions
from minigun_py.contexts.portable_code import import_path, pack_functions, unpack_functions

__all__ = ["why_they_do_not_load"]

_PROGRAM: Final = """
import sys
sys.path[:] = {path!r}
from minigun_py.contexts.interpreter_probe import load
load({code!r})
"""


def why_they_do_not_load(functions: Functions) -> str | None:
    """Why these functions cannot be rebuilt in a subinterpreter, in words; None if they can.

    Functions that cannot even be pickled are no concern of this: they are told of elsewhere.
    """
    if not functions:
        return None
    try:
        code = pack_functions(functions)
    except Exception:
        return None
    return _why_it_does_not_load(code)


def load(code: bytes) -> None:
    """In the interpreter: rebuild the functions. Raises the first cause of what that raises."""
    try:
        unpack_functions(code)
    except Exception as error:
        cause: BaseException = error
        while (earlier := cause.__cause__ or cause.__context__) is not None:
            cause = earlier
        raise ImportError(str(cause)) from None


@functools.lru_cache(maxsize=64)
def _why_it_does_not_load(code: bytes) -> str | None:
    interpreters: Any = importlib.import_module("concurrent.interpreters")
    with forking_turn():  # all the time: nobody may fork while an interpreter is alive
        interpreter = interpreters.create()
        try:
            interpreter.exec(_PROGRAM.format(path=import_path(), code=code))
        except interpreters.ExecutionFailed as failed:
            return str(failed.excinfo.msg or failed.excinfo.type.__name__)
        finally:
            interpreter.close()
    return None
