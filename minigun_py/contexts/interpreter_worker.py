"""What a subinterpreter does: be a worker until its socket ends."""

from __future__ import annotations

import socket

from minigun_py.contexts.arena import Arena
from minigun_py.contexts.frame import FrameKind, encode
from minigun_py.contexts.portable_errors import pack_error
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.wire import write_frame
from minigun_py.contexts.worker_loop import work
from minigun_py.errors import WorkerDied

__all__ = ["run"]


def run(descriptor: int, memory: int, slot: int, stages: str) -> None:
    """Take over a socket, and run leases until it ends."""
    with socket.socket(fileno=descriptor) as sock:
        try:
            work(sock, None, RunningItems.private(slot + 1), Arena(memory), slot)
        except SystemExit as ended:  # no exit code leaves an interpreter
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            _tell(sock, WorkerDied(f"the interpreter ended with exit code {status}", status))
        except KeyboardInterrupt:  # raised by a stage: real ones go to the main thread
            _tell(sock, WorkerDied(f"stage {stages!r} raised KeyboardInterrupt"))


def _tell(sock: socket.socket, died: WorkerDied) -> None:
    write_frame(sock, encode(FrameKind.FAILED, -1, pack_error(died)))
