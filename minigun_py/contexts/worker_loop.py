"""What a worker at the other end of a socket does: run leases that come as frames, until it ends.

It is the same in a forked process, a fresh one and a subinterpreter. What the stages want set up
is set up before the first lease and torn down after the last. Before each item the worker notes
its index where the parent can read it.

*Threads*: one, but stages may log from threads of their own, so frames are written under a lock.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from minigun_py.contexts import crossing
from minigun_py.contexts.context import BoundKernel, Control, Harvest, Kernel, Post
from minigun_py.contexts.lease_loop import close_after
from minigun_py.contexts.log_forwarding import Levels, forward_records
from minigun_py.contexts.portable_code import unpack_code
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.wire import Frame, FrameKind, encode, read_frame, write_frame
from minigun_py.primitives.cancel import CancelToken

__all__ = ["work"]


def work(sock: socket.socket, kernel: Kernel | None, running: RunningItems, slot: int) -> None:
    """Run leases until the socket ends.

    Args:
        sock: This worker's end of its pair.
        kernel: The stages; None if they come as the first frame.
        running: Where the index of the running item is noted.
        slot: Which of the notes is this worker's.
    """
    line = _Line(sock)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent has closed
        try:
            levels: Levels | None = None
            if kernel is None:
                code = read_frame(sock)
                if code is None:
                    return
                kernel, levels = unpack_code(code.load())
            forward_records(line.log, levels, "+".join(kernel.stages), slot + 1)
            worker = kernel.bind(post=Post(slot + 1, line.control()))
            try:
                worker.open()
                _work_off(line, worker, kernel, running, slot)
            except BaseException as error:  # it may be an item's, whose index has to stay noted
                close_after(error, worker)
                raise
            with running.tearing_down(slot):
                worker.close()
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            line.write(encode(FrameKind.FAILED, -1, crossing.pack_error(error)))


class _Line:
    """The worker's end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._lock = threading.Lock()  # a frame is written whole

    def read(self) -> Frame | None:
        return read_frame(self._socket)

    def write(self, parts: list[memoryview]) -> None:
        with self._lock:
            write_frame(self._socket, parts)

    def log(self, fields: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # the parent is gone, and nobody is left to read it
            self.write(encode(FrameKind.LOGGED, -1, fields))

    def control(self) -> Control:
        """The line to the run, as frames."""
        token = CancelToken()
        token.on_cancel(lambda: self._tell(FrameKind.CANCEL, token.reason))
        return Control(token, lambda: self._tell(FrameKind.DRAIN))

    def _tell(self, kind: FrameKind, content: object = None) -> None:
        with contextlib.suppress(OSError):  # as in `log`
            self.write(encode(kind, -1, content))


def _work_off(
    line: _Line, worker: BoundKernel, kernel: Kernel, running: RunningItems, slot: int
) -> None:
    while (frame := line.read()) is not None:
        place = frame.token
        try:
            content = frame.load()
        except Exception:
            line.write(encode(FrameKind.UNREADABLE, place))
            continue
        if frame.kind is FrameKind.RUN_ONE_BY_ONE:
            blobs = crossing.run_each(worker, running.each(slot, place, content), kernel.stages)
            line.write(encode(FrameKind.DONE_ONE_BY_ONE, place, blobs))
            continue
        worker.run(running.each(slot, place, content), lambda: running.read(slot)[1])
        if frame.kind is FrameKind.RUN_LAST:
            worker.finish()
        harvest = worker.harvest(len(content))
        line.write(_encoded(place, harvest, content, kernel))


def _encoded(place: int, harvest: Harvest, items: list[Any], kernel: Kernel) -> list[memoryview]:
    try:
        return encode(FrameKind.DONE, place, crossing.pack_harvest(harvest, kernel.stages[0]))
    except Exception:
        blobs = crossing.blame_results(harvest, len(items), kernel.exit_stages, kernel.stages)
        if blobs is None:
            return encode(FrameKind.UNREADABLE, place)
        return encode(FrameKind.DONE_ONE_BY_ONE, place, blobs)
