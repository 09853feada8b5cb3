"""What a stage may raise that is no failure by its type, and what it is taken for."""

from __future__ import annotations

import sys

from minigun_py.errors import WorkerDied

__all__ = ["as_death", "as_failure", "is_stray_cancel"]


def is_stray_cancel(error: BaseException) -> bool:
    """Whether a stage raised CancelledError although nobody cancels the task that runs it."""
    asyncio = sys.modules.get("asyncio")  # without it there is no such error
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return True
    return task is None or task.cancelling() == 0


def as_failure(error: BaseException) -> Exception:
    failure = RuntimeError("the stage raised CancelledError, and nobody had cancelled it")
    failure.__cause__ = error
    return failure.with_traceback(error.__traceback__)


def as_death(error: SystemExit) -> WorkerDied:
    code = error.code
    status = code if isinstance(code, int) else int(code is not None)
    died = WorkerDied(f"the stage called sys.exit({code!r})", status)
    died.__cause__ = error
    return died
