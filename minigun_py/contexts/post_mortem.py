"""What a worker died of, in words: its signal or exit code, its memory, and what it said last."""

from __future__ import annotations

import signal
from typing import Final

from minigun_py.contexts.crew import Exited
from minigun_py.contexts.memory_kills import memory_kills
from minigun_py.errors import WorkerDied

__all__ = ["PostMortem", "raised"]

C_FRAMES: Final = 8


RAISED: Final = "the stage raised "


def raised(error: BaseException) -> str:
    """The words of a worker that ends of what a stage has raised."""
    import traceback  # here: it is for runs in which something fails

    frames = traceback.extract_tb(error.__traceback__)
    ours = max((n for n, frame in enumerate(frames) if frame.filename.startswith("<")), default=-1)
    return "\n".join([RAISED + type(error).__name__, *traceback.format_list(frames[ours + 1 :])])


class PostMortem:
    """Tells the deaths of one context's workers. Made before the first can die."""

    def __init__(self) -> None:
        self._kills = memory_kills()

    def death(self, exited: Exited, last_words: str = "", during: str = "") -> WorkerDied:
        """The death as an error. `last_words` is what `faulthandler` wrote; it becomes a note."""
        cause = self._cause(exited)
        if last_words.startswith(RAISED):
            cause, _, last_words = last_words.partition("\n")
        died = WorkerDied(cause + during, exited.status)
        if last_words:
            died.add_note(f"the worker's last words:\n{_without_our_frames(last_words)}")
        return died

    def _cause(self, exited: Exited) -> str:
        if exited.status >= 0:
            return f"the worker ended with exit code {exited.status}"
        cause = f"the worker was killed by {signal.Signals(-exited.status).name}"
        if exited.status == -signal.SIGKILL:
            before, self._kills = self._kills, memory_kills()
            if self._kills > before:
                used = f": it had used {_size(exited.peak_bytes)}" if exited.peak_bytes else ""
                cause += f", probably out of memory{used}"
        return cause


def _without_our_frames(words: str) -> str:
    """The stack down to the stage that ran, and the top of the C stack if there is one."""
    python, _, c = words.partition("\n\nCurrent thread's C stack")
    above, ours, _ = python.partition('\n  File "<stages ')
    shown = above if ours else python
    frames = c.splitlines()[1 : 1 + C_FRAMES]
    return "\n".join(
        [shown, "", "C stack (most recent call first):", *frames] if frames else [shown]
    )


def _size(bytes_: int) -> str:
    mebibytes = bytes_ / 2**20
    return f"{mebibytes:.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:.1f} GiB"
