"""A loop hears its workers and their crew, as far as it wants to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from minigun_py.contexts.crew import Spawned
from minigun_py.contexts.ears import Ears
from minigun_py.contexts.remote_worker import RemoteWorker
from minigun_py.contexts.switchboard import Switchboard

AT_ONCE = 0
LARGE = 10 * 2**20  # more than a socket takes


class Board(Switchboard):
    """One that is asked what it would hear."""

    def heard(self) -> list[int]:
        return [descriptor for descriptor, _ in self._poller.poll(AT_ONCE)]


class Worker:
    """The two ends of a worker, the pipe of its crew, and ears that hear them."""

    def __init__(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.worker = RemoteWorker(Spawned(0, 1, ours))
        self.crew, self.crew_says = os.pipe()
        self.board = Board()
        self.ears = Ears(self.board.line(), self.crew)
        self.ears.add(self.worker)
        self.heard = self.board.heard

    def close(self) -> None:
        self.worker.socket.close()
        self.theirs.close()
        os.close(self.crew)
        os.close(self.crew_says)
        self.board.close()


@pytest.fixture
def line() -> Iterator[Worker]:
    line = Worker()
    yield line
    line.close()


def test_it_hears_whoever_has_something_to_say(line: Worker) -> None:
    assert line.heard() == []
    os.write(line.crew_says, b"!")
    assert line.heard() == [line.crew]
    line.theirs.send(b"answer")
    assert sorted(line.heard()) == sorted([line.crew, line.worker.socket.fileno()])
    assert line.ears.workers[line.worker.socket.fileno()] is line.worker


def test_a_worker_is_asked_for_room_only_while_something_is_pending(line: Worker) -> None:
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


def test_what_workers_say_can_be_left_where_it_is(line: Worker) -> None:
    line.theirs.send(b"output")
    line.ears.listen_to_all(False)
    assert line.heard() == []
    line.ears.listen_to_all(True)
    assert line.heard() == [line.worker.socket.fileno()]


def test_who_was_removed_is_not_heard(line: Worker) -> None:
    line.theirs.send(b"answer")
    line.ears.remove(line.worker)
    line.worker.gone = True
    assert line.heard() == []
    line.worker.writer.send([memoryview(bytes(LARGE))])
    line.ears.note_pending(line.worker)
    line.ears.listen_to_all(False)
    assert line.ears.workers == {}
    assert line.heard() == []
