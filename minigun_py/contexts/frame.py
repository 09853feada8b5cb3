"""Frames, which a parent and a worker send each other: a fixed header, a pickle, and its buffers.

::

    kind  buffers  token   length   | where each buffer is  | pickle    | buffers
    1     4        8       8 bytes  | 24 bytes each         | `length`  | as they are

The pickle is protocol 5, so large buffers (arrays, bytearrays) travel beside it without being
copied into it, and arrive writable. The token is outside the pickle: a frame that cannot be
unpickled can still be answered for.

Where the two ends have an `arena`, what is large lies there, and the frame only says where: large
buffers, and a large pickle too, which is the first of the buffers then, and has the length 0.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import struct
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any, Final

from minigun_py.contexts.arena import LARGE, ArenaEnd, Stretch
from minigun_py.record import record

__all__ = ["HEADER", "KINDS", "WHERE", "Frame", "FrameKind", "Pickled", "encode"]

HEADER: Final = struct.Struct("<BIqQ")
WHERE: Final = struct.Struct("<qIQI")
"""Unit, number of units, length and offset of a buffer in the arena. Unit -1: it follows."""


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


KINDS: Final = tuple(FrameKind)
"""By their numbers."""


@record(eq=False)
class Frame:
    """A frame as it arrived, still pickled."""

    kind: FrameKind
    token: int
    payload: bytes | bytearray | memoryview
    buffers: Sequence[bytearray | memoryview] = ()

    def load(self) -> Any:
        """Unpickle. Raises whatever the objects inside raise when they are rebuilt."""
        return pickle.loads(self.payload, buffers=self.buffers)


class Pickled:
    """Something pickled, with the buffers beside it. Raises what pickling raises."""

    __slots__ = ("_buffers", "_payload")

    def __init__(self, content: Any) -> None:
        held: list[pickle.PickleBuffer] = []
        try:
            self._payload = pickle.dumps(content, protocol=5, buffer_callback=held.append)
        except TypeError:  # pickle takes any buffer but a memoryview
            held.clear()
            self._payload = _dumps_with_views(content, held.append)
        self._buffers = [buffer.raw() for buffer in held]

    def frame(self, kind: FrameKind, token: int, arena: ArenaEnd | None = None) -> list[memoryview]:
        """The parts of a frame, to be sent one after the other.

        What came by the arena and has no other view any more goes back as it is.
        """
        payload = self._payload
        if arena is None or not (self._buffers or len(payload) >= LARGE):
            return _frame(kind, token, payload, [(buffer, None) for buffer in self._buffers])
        beside = _put_into(arena, self._buffers)
        if len(payload) >= LARGE:
            stretch = arena.put(memoryview(payload))
            if stretch is not None:
                payload, beside = b"", [(_EMPTY, stretch), *beside]
        return _frame(kind, token, payload, beside)


_EMPTY: Final = memoryview(b"")


def encode(
    kind: FrameKind, token: int, content: Any = None, arena: ArenaEnd | None = None
) -> list[memoryview]:
    """The parts of a frame, to be sent one after the other. Raises what pickling raises."""
    return Pickled(content).frame(kind, token, arena)


def _dumps_with_views(content: Any, beside: Callable[[pickle.PickleBuffer], Any]) -> bytes:
    file = io.BytesIO()
    pickler = pickle.Pickler(file, protocol=5, buffer_callback=beside)
    pickler.dispatch_table = {**copyreg.dispatch_table, memoryview: _reduced}
    pickler.dump(content)
    return file.getvalue()


def _reduced(view: memoryview) -> tuple[Any, ...]:
    if not view.c_contiguous:
        view = _view_again(view.tobytes(), view.format, view.shape or ())
    return _view_again, (pickle.PickleBuffer(view), view.format, view.shape)


def _view_again(buffer: Any, form: str, shape: tuple[int, ...]) -> memoryview:
    plain: Any = memoryview(buffer).cast("B")
    view: memoryview = plain.cast(form, shape)
    return view


def _put_into(
    arena: ArenaEnd, buffers: list[memoryview]
) -> list[tuple[memoryview, Stretch | None]]:
    """The buffers, and where they lie in the arena, if they do. Large ones are not kept here."""
    found = [arena.find(buffer) if buffer.nbytes >= LARGE else None for buffer in buffers]
    beside: list[tuple[memoryview, Stretch | None]] = []
    with arena.parting(stretch for stretch in found if stretch is not None) as leave:
        for buffer, stretch in zip(buffers, found, strict=True):
            if stretch is not None:
                buffer.release()  # maybe the last view
        for buffer, stretch in zip(buffers, found, strict=True):
            if stretch is None:
                beside.append((buffer, arena.put(buffer) if buffer.nbytes >= LARGE else None))
            elif leave(stretch):
                beside.append((_EMPTY, stretch))
            else:
                with arena.look(stretch) as seen:
                    copy = arena.put(seen)
                    beside.append((_EMPTY if copy else memoryview(bytes(seen)), copy))
    return beside


def _frame(
    kind: FrameKind,
    token: int,
    payload: bytes,
    beside: Sequence[tuple[memoryview, Stretch | None]],
) -> list[memoryview]:
    head = HEADER.pack(kind, len(beside), token, len(payload))
    if not beside:
        return [memoryview(head + payload)]
    where = b"".join(
        WHERE.pack(-1, 0, buffer.nbytes, 0)
        if stretch is None
        else WHERE.pack(stretch.unit, stretch.units, stretch.length, stretch.offset)
        for buffer, stretch in beside
    )
    follow = [buffer for buffer, stretch in beside if stretch is None]
    return [memoryview(head + where + payload), *follow]
