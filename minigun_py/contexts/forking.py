"""Forks this process safely: one fork at a time, signals blocked, nothing written twice.

While a subinterpreter is alive a fork kills the child (CPython issue 139759), so that is refused,
and whoever makes an interpreter takes the same turn as whoever forks.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Final, NoReturn

from minigun_py.contexts.kernel import Functions
from minigun_py.errors import KindUnavailable

__all__ = ["INSIDE_SUBINTERPRETER", "fork", "forking_turn", "obstacle_to_forking"]


def obstacle_to_forking(functions: Functions = ()) -> str | None:
    """Why this process cannot be forked now, in words; None if it can."""
    if not hasattr(os, "fork"):
        return "this system has no fork"
    if INSIDE_SUBINTERPRETER:
        return "a subinterpreter may start no process"
    if sys.platform == "darwin":
        return "the libraries of this system do not survive a fork"
    if _subinterpreters_alive():
        return "a subinterpreter is alive, beside which a forked process dies"
    return None


def _inside_subinterpreter() -> bool:
    try:
        module = importlib.import_module("_interpreters")  # which nobody may have imported here
    except ImportError:  # before Python 3.13
        return False
    return bool(module.get_current()[0] != module.get_main()[0])


INSIDE_SUBINTERPRETER: Final = _inside_subinterpreter()
"""Whether this code runs in an interpreter that may start no process. It is looked up once: whoever
has been forked had better import nothing."""


def _subinterpreters_alive() -> bool:
    for name in ("_interpreters", "_xxsubinterpreters"):
        if module := sys.modules.get(name):
            return len(module.list_all()) > 1
    return False


class _Turn:
    """One at a time: a fork changes the filters of warnings, which belong to everybody."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """In a child, whose copy of the lock may be held by a thread that it does not have."""
        self.lock = threading.Lock()


_turn: Final = _Turn()
os.register_at_fork(after_in_child=_turn.renew)


def forking_turn() -> threading.Lock:
    """The lock to hold while a process is forked or a subinterpreter is made."""
    return _turn.lock


def fork(child: Callable[[], None]) -> int:
    """Fork. The child runs `child` with signals blocked, and never returns.

    Raises:
        KindUnavailable: The child would die at once.
    """
    _flush_standard_streams()
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with _turn.lock, warnings.catch_warnings():
            if why := obstacle_to_forking():
                raise KindUnavailable(f"this process cannot be forked now: {why}")
            # A parent with threads is warned of by 3.12+. The fork server takes no lock of the
            # parent's: it only forks. What a user's closure does with a held lock is documented.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _forget_unfinished_imports()
            _run_and_exit(child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _forget_unfinished_imports() -> None:
    """In a child: let go of the modules that other threads were importing when it was forked.

    They would never be finished there, and whoever asked for one would wait for ever: Python renews
    the lock of all imports in a child, but not those of single modules. Asked for, they are
    imported anew.
    """
    locks = getattr(sys.modules["_frozen_importlib"], "_module_locks", {})
    for name, known in tuple(locks.items()):
        if getattr(known(), "owner", None) not in (None, threading.get_ident()):
            locks.pop(name, None)
            if getattr(getattr(sys.modules.get(name), "__spec__", None), "_initializing", False):
                sys.modules.pop(name, None)


def _run_and_exit(child: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        child()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:  # raised by a stage: real ones do not reach a worker
        status = 128 + signal.SIGINT
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        _flush_standard_streams()
        os._exit(status)


def _flush_standard_streams() -> None:
    """So that a child does not write once more what waits in them. They may be closed or None."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
