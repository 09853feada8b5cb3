"""A poll loop hears its workers, their crew, and whoever wants it to look again."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from minigun_py.contexts.crew import Spawned
from minigun_py.contexts.ears import Ears
from minigun_py.contexts.remote_worker import RemoteWorker

AT_ONCE = 0
LARGE = 10 * 2**20  # more than a socket takes


class Line:
    """The two ends of a worker, and the pipes beside it."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.worker = RemoteWorker(Spawned(0, 1, ours))
        self.pipes = [os.pipe(), os.pipe()]
        (self.wake, _), (self.crew, _) = self.pipes
        self.ears = Ears(self.wake, self.crew)
        self.ears.add(self.worker)

    def heard(self) -> list[int]:
        return [fd for fd, _ in self.ears.poll(AT_ONCE)]

    def close(self) -> None:
        self.worker.socket.close()
        self.theirs.close()
        for end in (*self.pipes[0], *self.pipes[1]):
            os.close(end)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


def test_it_hears_whoever_has_something_to_say(line: Line) -> None:
    assert line.heard() == []
    os.write(line.pipes[1][1], b"!")
    assert line.heard() == [line.crew]
    line.theirs.send(b"answer")
    assert sorted(line.heard()) == sorted([line.crew, line.worker.socket.fileno()])
    assert line.ears.workers[line.worker.socket.fileno()] is line.worker


def test_a_worker_is_asked_for_room_only_while_something_is_pending(line: Line) -> None:
    line.ears.note_pending(line.worker)
    assert line.heard() == []
    line.worker.writer.send([memoryview(bytes(LARGE))])
    line.ears.note_pending(line.worker)
    assert line.heard() == []  # there is none
    left = LARGE
    while left:
        left -= len(line.theirs.recv(LARGE))
        line.worker.writer.flush()
    assert line.heard() == [line.worker.socket.fileno()]
    line.ears.note_pending(line.worker)
    assert line.heard() == []


def test_what_workers_say_can_be_left_where_it_is(line: Line) -> None:
    line.theirs.send(b"output")
    line.ears.listen_to_all(False)
    assert line.heard() == []
    line.ears.listen_to_all(True)
    assert line.heard() == [line.worker.socket.fileno()]


def test_who_was_removed_is_not_heard(line: Line) -> None:
    line.theirs.send(b"answer")
    line.ears.remove(line.worker)
    line.worker.gone = True
    assert line.heard() == []
    line.worker.writer.send([memoryview(bytes(LARGE))])
    line.ears.note_pending(line.worker)
    line.ears.listen_to_all(False)
    assert line.ears.workers == {}
    assert line.heard() == []
