"""Frames between a parent and a worker: a fixed header, a pickle, and its buffers.

::

    kind  buffers  token   length   | length of each buffer | pickle    | buffers
    1     4        8       8 bytes  | 8 bytes each          | `length`  | as they are

The pickle is protocol 5, so large buffers (arrays, bytearrays) travel beside it without being
copied into it, and arrive writable. The token is outside the pickle: a frame that cannot be
unpickled can still be answered for.

A worker reads and writes whole frames and may block. The parent never blocks: `FrameReader` and
`FrameWriter` carry a frame on from where the socket left off, so that parent and worker can both
be sending at once without waiting for each other.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

__all__ = [
    "Frame",
    "FrameKind",
    "FrameReader",
    "FrameWriter",
    "encode",
    "read_frame",
    "write_frame",
]

_HEADER: Final = struct.Struct("<BIqQ")
_LENGTH: Final = struct.Struct("<Q")
_PARTS_AT_ONCE: Final = 64
"""A call to ``sendmsg`` takes a bounded number of parts (IOV_MAX is at least 1024 on Linux)."""


class FrameKind(IntEnum):
    """What a frame says. The first seven go to a worker, the others come from it."""

    CODE = 0
    """The stages, for a worker that has not inherited them."""
    RUN = 1
    RUN_ONE_BY_ONE = 2
    RUN_LAST = 3
    """Run it, and then emit what is held."""
    RUN_LAST_ONE_BY_ONE = 4
    RUN_FLUSH = 5
    """Emit what is held, and go on."""
    ATTEMPT = 6
    """The token says how often the items of the next frame are run with that."""
    DONE = 7
    DONE_ONE_BY_ONE = 8
    UNREADABLE = 9
    FAILED = 10
    """The worker cannot begin, or did not end well: its code, a setup or a teardown raised."""
    LOGGED = 11
    DRAIN = 12
    CANCEL = 13
    RETIRE = 14
    """The worker has grown too large: it emits what it holds with this answer, and exits."""
    PART = 15
    """Outputs of one exit that belong to the answer with this token, which follows."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it arrived, still pickled."""

    kind: FrameKind
    token: int
    payload: bytearray
    buffers: list[bytearray]

    def load(self) -> Any:
        """Unpickle. Raises whatever the objects inside raise when they are rebuilt."""
        return pickle.loads(self.payload, buffers=self.buffers)


def encode(kind: FrameKind, token: int, content: Any = None) -> list[memoryview]:
    """The parts of a frame, to be sent one after the other. Raises what pickling raises."""
    held: list[pickle.PickleBuffer] = []
    payload = pickle.dumps(content, protocol=5, buffer_callback=held.append)
    buffers = [buffer.raw() for buffer in held]
    head = _HEADER.pack(kind, len(buffers), token, len(payload))
    lengths = b"".join(_LENGTH.pack(len(buffer)) for buffer in buffers)
    return [memoryview(head + lengths + payload), *buffers]


def write_frame(sock: socket.socket, parts: Sequence[memoryview]) -> None:
    """Send a whole frame, blocking."""
    for part in parts:
        sock.sendall(part)


def read_frame(sock: socket.socket) -> Frame | None:
    """Receive a whole frame, blocking. None at the end of the stream."""
    reader = FrameReader(sock)
    while True:
        frames, open_ = reader.read(limit=1)
        if frames:
            return frames[0]
        if not open_:
            return None


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
    """Takes frames from a socket, in blocking or non-blocking mode as the socket is set."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._begin()

    def read(self, limit: int = 1 << 30) -> tuple[list[Frame], bool]:
        """Frames that are complete now, at most `limit`, and whether the stream goes on."""
        frames: list[Frame] = []
        while len(frames) < limit:
            try:
                if not self._fill():
                    return frames, False
            except BlockingIOError:
                return frames, True
            except ConnectionResetError:
                return frames, False
            frame = self._advance()
            if frame is not None:
                frames.append(frame)
        return frames, True

    def _begin(self) -> None:
        self._head: tuple[Any, ...] | None = None
        self._blocks: list[bytearray] = []
        self._expect(_HEADER.size)

    def _expect(self, size: int) -> None:
        self._block = bytearray(size)
        self._rest = memoryview(self._block)

    def _fill(self) -> bool:
        """Complete the block that is expected. False at the end of the stream."""
        while self._rest.nbytes:
            got = self._socket.recv_into(self._rest)
            if not got:
                return False
            self._rest = self._rest[got:]
        return True

    def _advance(self) -> Frame | None:
        """Go on after a complete block: header, then lengths, then payload and buffers."""
        if self._head is None:
            self._head = _HEADER.unpack(self._block)
            self._sizes: list[int] | None = None if self._head[1] else []
            self._expect(self._head[1] * _LENGTH.size or self._head[3])
            return None
        if self._sizes is None:
            self._sizes = [size for (size,) in _LENGTH.iter_unpack(self._block)]
            self._expect(self._head[3])
            return None
        self._blocks.append(self._block)
        if len(self._blocks) <= len(self._sizes):
            self._expect(self._sizes[len(self._blocks) - 1])
            return None
        kind, _, token, _ = self._head
        frame = Frame(FrameKind(kind), token, self._blocks[0], self._blocks[1:])
        self._begin()
        return frame
