"""Moving frames through a socket.

A worker reads and writes whole frames and may block. The parent never blocks: `FrameReader` and
`FrameWriter` carry a frame on from where the socket left off, so that parent and worker can both
be sending at once without waiting for each other.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from minigun_py.contexts.arena import ArenaEnd, Stretch
from minigun_py.contexts.frame import HEADER, KINDS, WHERE, Frame

__all__ = ["AHEAD", "FrameReader", "FrameWriter", "write_frame"]

_PARTS_AT_ONCE: Final = 64
"""A call to ``sendmsg`` takes a bounded number of parts (IOV_MAX is at least 1024 on Linux)."""
AHEAD: Final = 64 * 1024
"""So much is read at once where frames are small."""


def write_frame(sock: socket.socket, parts: Sequence[memoryview]) -> None:
    """Send a whole frame, blocking."""
    for part in parts:
        sock.sendall(part)


class FrameWriter:
    """Sends frames through a socket as far as it takes them now."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._parts: deque[memoryview] = deque()

    @property
    def pending(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self._parts)

    def send(self, parts: Sequence[memoryview]) -> None:
        """Add a frame, and send what goes."""
        if not self._parts and len(parts) == 1:
            [part] = parts
            try:
                sent = self._socket.send(part, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent == part.nbytes:
                return
            parts = [part[sent:]]
        self._parts.extend(part for part in parts if part.nbytes)
        self.flush()

    def flush(self) -> None:
        """Send what goes. Raises OSError if the other end is gone."""
        while self._parts:
            batch = [self._parts[i] for i in range(min(len(self._parts), _PARTS_AT_ONCE))]
            try:
                sent = self._socket.sendmsg(batch, (), socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            self._forget(sent)

    def _forget(self, sent: int) -> None:
        while sent:
            part = self._parts[0]
            if sent < part.nbytes:
                self._parts[0] = part[sent:]
                return
            sent -= part.nbytes
            self._parts.popleft()


class FrameReader:
    """Takes frames from a socket, in blocking or non-blocking mode as the socket is set.

    It reads ahead, so that a call brings many small frames. What is larger than `AHEAD` is
    received where it is to stay.
    """

    def __init__(self, sock: socket.socket, arena: ArenaEnd | None = None) -> None:
        self._socket, self._arena = sock, arena
        self._ahead = memoryview(bytearray(AHEAD))
        self._start = self._end = 0  # what was read ahead and is no part of a frame yet
        self._whole = deque[Frame]()  # for `next`
        self._block, self._rest = bytearray(), memoryview(b"")  # what comes, and how much lacks
        self._begin()

    def next(self) -> Frame | None:
        """The next frame, of a socket that blocks; None at the end of the stream."""
        if not self._whole:
            self._whole.extend(self.read()[0])
        return self._whole.popleft() if self._whole else None

    def read(self) -> tuple[list[Frame], bool]:
        """Frames that are complete now, and whether the stream goes on.

        Waits for one if the socket blocks.
        """
        frames: list[Frame] = []
        while not frames:
            try:
                if not self._receive():
                    return frames, False
            except BlockingIOError:
                return frames, True
            except ConnectionResetError:
                return frames, False
            while self._head is not None or self._start < self._end:
                frame = self._small_frame() or self._large_frame()
                if frame is None:
                    break
                frames.append(frame)
        return frames, True

    def _receive(self) -> int:
        """Receive something: 0 bytes at the end of the stream."""
        if len(self._rest) >= AHEAD:
            got = self._socket.recv_into(self._rest)
            self._rest = self._rest[got:]
            return got
        if self._start:  # behind what is left of a header
            left = self._end - self._start
            self._ahead[:left] = self._ahead[self._start : self._end]
            self._start, self._end = 0, left
        got = self._socket.recv_into(self._ahead[self._end :])
        self._end += got
        return got

    def _small_frame(self) -> Frame | None:
        """A frame that was read ahead as a whole, and has no buffers."""
        begin = self._start + HEADER.size
        if self._head is not None or begin > self._end:
            return None
        kind, buffers, token, length = HEADER.unpack_from(self._ahead, self._start)
        if buffers or begin + length > self._end:
            return None
        self._start = begin + length
        return Frame(KINDS[kind], token, bytes(self._ahead[begin : self._start]))

    def _large_frame(self) -> Frame | None:
        """A frame that comes by and by: header, then lengths, then payload and buffers."""
        while self._is_full():
            frame = self._advance()
            if frame is not None:
                return frame
        return None

    def _begin(self) -> None:
        self._head: tuple[Any, ...] | None = None
        self._parts: list[int | Stretch] = []  # how large, or where, the pickle and its buffers are
        self._blocks: list[bytearray | memoryview] = []
        self._expect(HEADER.size)

    def _expect(self, size: int) -> None:
        self._block = bytearray(size)
        self._rest = memoryview(self._block)

    def _is_full(self) -> bool:
        """Complete the block that is expected with what was read ahead, if that is enough."""
        if self._head is None and self._end - self._start < HEADER.size:
            return False  # it may be that of a small frame
        count = min(len(self._rest), self._end - self._start)
        if count:
            self._rest[:count] = self._ahead[self._start : self._start + count]
            self._rest, self._start = self._rest[count:], self._start + count
        return not len(self._rest)

    def _advance(self) -> Frame | None:
        """Go on after a complete block."""
        if self._head is None:
            self._head = HEADER.unpack(self._block)
            _, count, _, length = self._head
            if count:
                self._expect(count * WHERE.size)
                return None
            self._parts = [length]
        elif not self._parts:
            length = self._head[3]
            self._parts = [length] if length else []
            for unit, units, length, offset in WHERE.iter_unpack(self._block):
                self._parts.append(length if unit < 0 else Stretch(unit, units, offset, length))
        else:
            self._blocks.append(self._block)
        return self._complete()

    def _complete(self) -> Frame | None:
        """Take what lies in the arena, up to the next part that has to be received."""
        while len(self._blocks) < len(self._parts):
            part = self._parts[len(self._blocks)]
            if not isinstance(part, Stretch):
                self._expect(part)
                return None
            assert self._arena is not None, "the other end has an arena, and this one has none"
            self._blocks.append(self._arena.take(part))
        assert self._head is not None
        kind, _, token, _ = self._head
        frame = Frame(KINDS[kind], token, self._blocks[0], self._blocks[1:])
        self._begin()
        return frame
