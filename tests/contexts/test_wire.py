"""Frames arrive as they were sent, however the socket cuts them up."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from pickle import PickleBuffer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigun_py.contexts.frame import Frame, FrameKind, encode
from minigun_py.contexts.wire import AHEAD, FrameReader, FrameWriter, write_frame

LIMIT = 20.0
TOKENS = st.integers(-(2**63), 2**63 - 1)
BUFFERS = st.binary(max_size=2000).map(bytearray)
CONTENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary() | BUFFERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.tuples(st.sampled_from(FrameKind), TOKENS, CONTENTS)
over_sockets = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends whose buffers hold next to nothing."""
    ends = socket.socketpair()
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        end.settimeout(LIMIT)
    with ends[0], ends[1]:
        yield ends


@given(messages=st.lists(MESSAGES, max_size=5))
def test_what_is_sent_arrives(messages: list[tuple[FrameKind, int, Any]]) -> None:
    assert passed(messages) == messages


@over_sockets
@given(message=MESSAGES, cut=st.integers(1, 64))
def test_a_frame_may_come_in_pieces(message: tuple[FrameKind, int, Any], cut: int) -> None:
    data = b"".join(encode(*message))
    sending, receiving = socket.socketpair()
    with sending, receiving:
        receiving.setblocking(False)
        reader = FrameReader(receiving)
        frames: list[Frame] = []
        for start in range(0, len(data), cut):
            sending.sendall(data[start : start + cut])
            come, open_ = reader.read()
            assert open_
            frames += come
            assert bool(frames) == (start + cut >= len(data))
    assert [(f.kind, f.token, f.load()) for f in frames] == [message]


@given(message=MESSAGES, data=st.data())
def test_a_frame_that_is_cut_short_never_arrives(
    message: tuple[FrameKind, int, Any], data: st.DataObject
) -> None:
    whole = b"".join(encode(*message))
    sending, receiving = socket.socketpair()
    with sending, receiving:
        sending.sendall(whole[: data.draw(st.integers(0, len(whole) - 1))])
        sending.shutdown(socket.SHUT_WR)
        assert FrameReader(receiving).next() is None


@pytest.mark.parametrize("around", [0, 1, 20, 21, 22, 40, 60])
def test_frames_about_as_large_as_what_is_read_ahead_arrive(around: int) -> None:
    sizes = [AHEAD - around, 1, AHEAD, 3, AHEAD + around, 2 * AHEAD - around, AHEAD // 2, 7] * 2
    messages = [(FrameKind.RUN, size, bytes([size % 256]) * size) for size in sizes]
    assert passed(messages) == messages


def test_many_small_frames_are_read_at_once_and_given_one_by_one() -> None:
    sending, receiving = socket.socketpair()
    with sending, receiving:
        for token in range(3):
            write_frame(sending, encode(FrameKind.RUN, token))
        reader = FrameReader(receiving)
        given = [reader.next()]
        receiving.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiving.recv(1)
        given += [reader.next(), reader.next(), reader.next()]
    assert [None if frame is None else frame.token for frame in given] == [0, 1, 2, None]


def test_large_buffers_travel_beside_the_pickle() -> None:
    parts = encode(FrameKind.RUN, 0, [PickleBuffer(bytearray(5_000_000)), b"small"])
    assert [part.nbytes for part in parts[1:]] == [5_000_000]
    assert parts[0].nbytes < 500


def test_buffers_arrive_writable(pair: Pair) -> None:
    write_frame(pair[0], encode(FrameKind.RUN, 0, PickleBuffer(bytearray(b"abc"))))
    frame = FrameReader(pair[1]).next()
    assert frame is not None
    content = frame.load()
    content[0] = ord("x")
    assert bytes(content) == b"xbc"


def test_what_cannot_be_pickled_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(TypeError, match="lock"):
        encode(FrameKind.RUN, 0, threading.Lock())


def test_a_frame_that_cannot_be_rebuilt_still_tells_its_token(pair: Pair) -> None:
    write_frame(pair[0], encode(FrameKind.RUN, 7, Unbuildable()))
    frame = FrameReader(pair[1]).next()
    assert frame is not None
    assert frame.token == 7
    with pytest.raises(ZeroDivisionError):
        frame.load()


def test_more_buffers_than_one_call_takes_arrive(pair: Pair) -> None:
    content = [PickleBuffer(bytearray([n % 256])) for n in range(1500)]
    pair[0].setblocking(False)
    pair[1].setblocking(False)
    writer, reader = FrameWriter(pair[0]), FrameReader(pair[1])
    writer.send(encode(FrameKind.RUN, 0, content))
    (frame,) = pump([(writer, pair[0])], [(reader, pair[1])])
    assert [bytes(part) for part in frame.load()] == [bytes([n % 256]) for n in range(1500)]


def test_both_directions_may_be_full_at_once(pair: Pair) -> None:
    for end in pair:
        end.setblocking(False)
    writers = [(FrameWriter(end), end) for end in pair]
    readers = [(FrameReader(end), end) for end in pair]
    for token, (writer, _) in enumerate(writers):
        writer.send(encode(FrameKind.RUN, token, bytes(1_000_000)))
        assert writer.pending
    frames = pump(writers, readers)
    assert sorted(frame.token for frame in frames) == [0, 1]
    assert all(frame.load() == bytes(1_000_000) for frame in frames)


def test_a_writer_says_when_the_other_end_is_gone(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(OSError, match="pipe"):
        FrameWriter(pair[0]).send(encode(FrameKind.RUN, 0))


def test_a_reset_is_an_end(pair: Pair) -> None:
    pair[0].sendall(b"never read")
    write_frame(pair[1], encode(FrameKind.RUN, 1))
    pair[0].close()
    frames, _ = FrameReader(pair[1]).read()
    assert frames == []


class Unbuildable:
    """Can be pickled, and never unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return divmod, (1, 0)


def passed(messages: list[tuple[FrameKind, int, Any]]) -> list[tuple[FrameKind, int, Any]]:
    """What arrives of them, which is all that does."""
    sending, receiving = socket.socketpair()
    with sending, receiving:
        thread = threading.Thread(target=send_all, args=(sending, messages))
        thread.start()
        reader = FrameReader(receiving)
        arrived = [reader.next() for _ in messages]
        assert reader.next() is None
        thread.join(LIMIT)
    return [(f.kind, f.token, f.load()) for f in arrived if f is not None]


def send_all(sock: socket.socket, messages: list[tuple[FrameKind, int, Any]]) -> None:
    for message in messages:
        write_frame(sock, encode(*message))
    sock.shutdown(socket.SHUT_WR)


def pump(
    writers: list[tuple[FrameWriter, socket.socket]],
    readers: list[tuple[FrameReader, socket.socket]],
) -> list[Frame]:
    """Move what can be moved until each reader has a frame."""
    frames: list[Frame] = []
    while len(frames) < len(readers):
        pending = [end for writer, end in writers if writer.pending]
        ready, room, _ = select.select([end for _, end in readers], pending, [], LIMIT)
        assert ready or room, "nothing moves"
        for writer, end in writers:
            if end in room:
                writer.flush()
        for reader, end in readers:
            if end in ready:
                frames += reader.read()[0]
    return frames
