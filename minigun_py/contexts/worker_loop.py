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
from collections.abc import Iterable
from typing import Any

from minigun_py.contexts import crossing
from minigun_py.contexts.answer import Harvest
from minigun_py.contexts.arena import Arena, ArenaEnd
from minigun_py.contexts.crossing import OneByOne
from minigun_py.contexts.frame import Frame, FrameKind, Pickled, encode
from minigun_py.contexts.kernel import BoundKernel, Control, Kernel, Post
from minigun_py.contexts.lease_loop import close_after
from minigun_py.contexts.log_forwarding import Levels, forward_records
from minigun_py.contexts.portable_errors import not_sent_back, pack_error, unsendable
from minigun_py.contexts.post_mortem import raised
from minigun_py.contexts.resident_memory import resident_bytes
from minigun_py.contexts.running_items import RunningItems
from minigun_py.contexts.wire import FrameReader, write_frame
from minigun_py.primitives.cancel import CancelToken
from minigun_py.primitives.packed import Packed

__all__ = ["work"]


def work(
    sock: socket.socket, kernel: Kernel | None, running: RunningItems, arena: Arena, slot: int
) -> None:
    """Run leases until the socket ends.

    Args:
        sock: This worker's end of its pair.
        kernel: The stages; None if they come as the first frame.
        running: Where the index of the running item is noted.
        arena: Where large buffers lie.
        slot: Which of the notes is this worker's.
    """
    line = _Line(sock, arena.of_worker(slot))
    running.keep_last_words(slot)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the parent has closed
        try:
            levels: Levels | None = None
            if kernel is None:
                code = line.read()
                if code is None:
                    return
                kernel, levels = _unpacked(code.load())
            forward_records(line.log, levels, "+".join(kernel.stages), slot + 1)
            worker = kernel.bind(post=Post(slot + 1, line.control()))
            try:
                worker.open()
                turns = _FrameTurns(line, worker, kernel, running, slot)
                worker.work(turns)
                turns.hand_in()
            except BaseException as error:  # it may be an item's, whose index has to stay noted
                close_after(error, worker)
                if isinstance(error, KeyboardInterrupt):  # real ones do not reach a worker
                    running.leave_words(slot, raised(error))
                raise
            with running.tearing_down(slot):
                worker.close()
        except (BrokenPipeError, ConnectionResetError):
            raise
        except Exception as error:
            line.write(encode(FrameKind.FAILED, -1, pack_error(error)))


class _Line:
    """The worker's end of the socket."""

    def __init__(self, sock: socket.socket, arena: ArenaEnd) -> None:
        self._socket, self.arena = sock, arena
        self.read = FrameReader(sock, arena).next
        self._lock = threading.Lock()  # a frame is written whole

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


class _FrameTurns:
    """The leases of one worker, as frames. The last of its share is handed in in the end."""

    def __init__(
        self, line: _Line, worker: BoundKernel, kernel: Kernel, running: RunningItems, slot: int
    ) -> None:
        self._line, self._worker, self._kernel = line, worker, kernel
        self._running, self._slot = running, slot
        self._each = running.each if kernel.timeout is None else running.each_timed
        self._most_bytes = kernel.max_rss
        self._frame: Frame | None = None
        self._items: list[Any] = []
        self._one_by_one: OneByOne | None = None
        self._is_last = False
        self.attempt = self._next_attempt = 1

    def next(self) -> Iterable[Any] | None:
        """Answer for one frame and take another."""
        if self._one_by_one is not None:
            following = self._one_by_one.next()
            if following is not None:
                return following
        if self._is_last or (self._most_bytes is not None and self._retires(self._most_bytes)):
            return None
        self.hand_in()
        return self._take()

    def _retires(self, most_bytes: int) -> bool:
        """Whether the worker has grown so large that it ends with the frame at hand."""
        if self._frame is None or resident_bytes() <= most_bytes:
            return False
        self._line.write(encode(FrameKind.RETIRE, -1))
        return True

    @property
    def flush(self) -> bool:
        """Whether the frame says so."""
        return self._frame is not None and self._frame.kind is FrameKind.RUN_FLUSH

    def running(self) -> int:
        """The index that was noted."""
        return 0 if self._one_by_one is not None else self._running.read(self._slot)[1]

    def put_out(self, way_out: int, values: list[Any]) -> None:
        """Send on what came of the item at hand. Raises `NotPicklable` if that cannot cross."""
        assert self._frame is not None
        try:
            parts = encode(FrameKind.PART, self._frame.token, (way_out, values))
        except Exception as error:
            raise not_sent_back(error) from error
        self._line.write(parts)

    def hand_in(self) -> None:
        """Answer for the frame at hand, if there is one."""
        frame, self._frame = self._frame, None
        if frame is None:
            return
        if self._one_by_one is not None:
            blobs = self._one_by_one.hand_in()
            self._one_by_one = None
            self._line.write(encode(FrameKind.DONE_ONE_BY_ONE, frame.token, blobs))
            return
        harvest = self._worker.harvest(len(self._items))
        try:
            for part in crossing.large_parts(harvest):
                self._line.write(encode(FrameKind.PART, frame.token, part))
        except OSError:
            raise
        except Exception as error:  # an output cannot be pickled: one by one it will be found
            if self._kernel.holds:
                raise unsendable(self._kernel.stages[0], error) from error
            self._line.write(encode(FrameKind.UNREADABLE, frame.token))
            return
        kind, answer = _pickled(harvest, len(self._items), self._kernel)
        token = frame.token
        del frame, harvest
        self._items = []  # so nobody here has a view of what goes back as it came
        self._line.write(answer.frame(kind, token, self._line.arena))

    def _take(self) -> Iterable[Any] | None:
        while (frame := self._line.read()) is not None:
            if frame.kind is FrameKind.ATTEMPT:
                self._next_attempt = frame.token
                continue
            self.attempt, self._next_attempt = self._next_attempt, 1
            try:
                content = frame.load()
                if isinstance(content, Packed):
                    content = content.unpacked()
            except Exception:
                self._line.write(encode(FrameKind.UNREADABLE, frame.token))
                continue
            self._frame, self._is_last = frame, frame.kind in _LAST
            noted = self._each(self._slot, frame.token, content)
            if frame.kind in _ONE_BY_ONE:
                self._one_by_one = OneByOne(self._worker, noted, self._kernel)
                return self._one_by_one.next() or ()
            self._items = content
            return noted
        return None


_ONE_BY_ONE = (FrameKind.RUN_ONE_BY_ONE, FrameKind.RUN_LAST_ONE_BY_ONE)
_LAST = (FrameKind.RUN_LAST, FrameKind.RUN_LAST_ONE_BY_ONE)


def _pickled(harvest: Harvest, items: int, kernel: Kernel) -> tuple[FrameKind, Pickled]:
    try:
        plain = crossing.pack_harvest(harvest, kernel.stages[0], kernel.forwards)
        return FrameKind.DONE, Pickled(plain)
    except Exception as error:
        if kernel.holds:  # it cannot be run again, and nobody knows what item it came from
            raise unsendable(kernel.stages[0], error) from error
        blobs = crossing.blame_results(harvest, items, kernel.exit_stages, kernel.stages)
        if blobs is None:
            return FrameKind.UNREADABLE, Pickled(None)
        return FrameKind.DONE_ONE_BY_ONE, Pickled(blobs)


def _unpacked(code: bytes) -> tuple[Kernel, Levels]:
    from minigun_py.contexts.portable_code import unpack_code  # here: most workers inherit theirs

    return unpack_code(code)
