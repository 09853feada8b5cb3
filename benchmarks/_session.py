"""A process that leads a session of its own, and how it is ended with all that it started.

Whatever it starts stays in that session, also when its parent is gone, so it can be found in
``/proc``. What the process has to tell is one line of JSON among whatever else is printed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["end", "last_told", "members"]

SESSION = 3  # its place in /proc/PID/stat, counted from the state


def members(session: int) -> Iterator[int]:
    """The processes of a session that still run."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):
            # The name of a process stands in brackets, and may hold anything.
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if int(fields[SESSION]) == session and fields[0] not in "ZX":
                yield int(entry.name)


def end(leader: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a session, and of what it starts meanwhile."""
    if leader.poll() is None:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()
    while alive := [*members(leader.pid)]:
        for pid in alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def last_told(printed: str) -> dict[str, Any] | None:
    """The last line of JSON that was printed."""
    for line in reversed(printed.splitlines()):
        with suppress(json.JSONDecodeError):
            told = json.loads(line)
            if isinstance(told, dict):
                return told
    return None
