"""The fork server forks, reaps and tells; nothing that it forked outlives it, or its parent."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contract.crash import crash
from faults.session import start
from minigun_py.clock import Deadline
from minigun_py.contexts.crew import Exited, Spawned
from minigun_py.contexts.fork_server import fork_server
from minigun_py.contexts.server_loop import RunWorker
from minigun_py.errors import ContextError
from support.processes import open_process

LIMIT = 20.0
SOON = 2.0  # seconds


def echo(sock: socket.socket, slot: int) -> None:
    """Say who it is, then send back what comes, until its socket ends."""
    sock.sendall(b"%d" % slot)
    while data := sock.recv(100):
        sock.sendall(data)


class Server:
    """A fork server, and what it has told."""

    def __init__(self, run_worker: RunWorker) -> None:
        self.server = fork_server(run_worker)
        self.told: list[Spawned | Exited] = []

    def spawn(self, slot: int = 0) -> Spawned:
        self.server.spawn(slot)
        return self.wait_for(Spawned)

    def wait_for(self, kind: type) -> Spawned | Exited:
        """The next word of that kind."""
        deadline = time.monotonic() + LIMIT
        while True:
            for message in self.told:
                if isinstance(message, kind):
                    self.told.remove(message)
                    return message
            assert select.select([self.server], [], [], max(0.0, deadline - time.monotonic()))[0]
            told, open_ = self.server.receive()
            self.told += told
            assert open_ or told, "the fork server has ended"


@contextmanager
def serving(run_worker: RunWorker) -> Iterator[Server]:
    server = Server(run_worker)
    try:
        yield server
    finally:
        server.server.close(Deadline.after(LIMIT))


@contextmanager
def watched(pid: int) -> Iterator[int]:
    watch = open_process(pid)
    try:
        yield watch
    finally:
        os.close(watch)


def ends(watch: int, within: float = SOON) -> bool:
    return bool(select.select([watch], [], [], within)[0])


def test_a_worker_is_spawned_for_its_slot_with_a_socket_of_its_own() -> None:
    with serving(echo) as server:
        workers = [server.spawn(slot) for slot in (3, 5)]
        assert [worker.slot for worker in workers] == [3, 5]
        assert len({worker.worker for worker in workers}) == 2
        for worker in workers:
            with worker.socket as sock:
                sock.settimeout(LIMIT)
                assert sock.recv(1) == b"%d" % worker.slot
                sock.sendall(b"hello")
                assert sock.recv(5) == b"hello"


def test_a_worker_is_a_child_of_the_fork_server_and_not_ours() -> None:
    def tell_parent(sock: socket.socket, slot: int) -> None:
        sock.sendall(b"%d" % os.getppid())

    with serving(tell_parent) as server, server.spawn().socket as sock:
        sock.settimeout(LIMIT)
        assert int(sock.recv(20)) not in (os.getpid(), 1)


def exit_with_three() -> None:
    sys.exit(3)


def fail() -> None:
    sys.excepthook = lambda *_: None  # it would say so on stderr
    raise ValueError("no worker")


@pytest.mark.parametrize(
    ("deed", "status"),
    [
        (lambda: None, 0),
        (exit_with_three, 3),
        (sys.exit, 0),
        (lambda: crash(7), 7),
        (lambda: crash(-signal.SIGKILL), -signal.SIGKILL),
        (lambda: crash(-signal.SIGSEGV), -signal.SIGSEGV),
        (fail, 1),
    ],
)
def test_the_exit_status_of_a_worker_is_told(deed: object, status: int) -> None:
    with serving(lambda sock, slot: deed()) as server:  # type: ignore[operator]
        worker = server.spawn()
        worker.socket.close()
        assert server.wait_for(Exited) == Exited(worker.worker, status)


def test_a_worker_can_be_killed_and_the_others_live_on() -> None:
    with serving(echo) as server:
        first, second = server.spawn(1), server.spawn(2)
        with first.socket, second.socket:
            server.server.kill(first.worker)
            assert server.wait_for(Exited) == Exited(first.worker, -signal.SIGKILL)
            second.socket.settimeout(LIMIT)
            assert second.socket.recv(1) == b"2"


def test_a_kill_of_a_stranger_does_nothing() -> None:
    with serving(echo) as server:
        server.server.kill(os.getpid())
        server.spawn().socket.close()


def test_many_workers_can_be_asked_for_at_once() -> None:
    with serving(lambda sock, slot: None) as server:
        for slot in range(100):
            server.server.spawn(slot)
        workers = [server.wait_for(Spawned) for _ in range(100)]
        for worker in workers:
            worker.socket.close()
        assert [worker.slot for worker in workers] == list(range(100))
        statuses = {server.wait_for(Exited).status for _ in range(100)}
    assert statuses == {0}


def test_workers_die_with_a_fork_server_that_is_killed() -> None:
    with serving(echo) as server:
        worker = server.spawn()
        with worker.socket, watched(worker.worker) as watch:
            server.server.kill_all()
            assert ends(watch)


def test_a_dead_fork_server_is_told_and_refuses_work() -> None:
    with serving(echo) as server:
        server.server.kill_all()
        assert select.select([server.server], [], [], LIMIT)[0]
        assert server.server.receive() == ([], False)
        with pytest.raises(ContextError, match="the fork server is gone"):
            server.server.spawn(0)


def test_its_close_kills_workers_that_are_stuck() -> None:
    with serving(lambda sock, slot: select.select([], [], [])) as server:
        worker = server.spawn()
        worker.socket.close()
        with watched(worker.worker) as watch:
            server.server.close(Deadline.after(LIMIT))
            assert ends(watch, 0.0)
        server.server = fork_server(echo)  # for the end of the block


def test_a_stopped_fork_server_is_killed_at_the_deadline() -> None:
    with serving(lambda sock, slot: sock.sendall(b"%d" % os.getppid())) as server:
        with server.spawn().socket as sock:
            sock.settimeout(LIMIT)
            os.kill(int(sock.recv(20)), signal.SIGSTOP)
        server.server.close(Deadline.after(0.05))
        server.server = fork_server(echo)  # for the end of the block


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_of_the_terminal_do_not_reach_workers(number: int) -> None:
    with serving(echo) as server:
        worker = server.spawn()
        with worker.socket as sock:
            sock.settimeout(LIMIT)
            assert sock.recv(1) == b"0"
            os.kill(worker.worker, number)
            sock.sendall(b"alive")
            assert sock.recv(5) == b"alive"


@pytest.mark.parametrize(
    "work",
    ["select.select([], [], [])", "re.match('(a+)+$', 'a' * 60 + 'b')", "os.close(sock.detach())"],
    ids=["that waits", "in C code that keeps the GIL", "that has closed its socket"],
)
def test_server_and_workers_end_with_a_parent_that_is_killed(work: str) -> None:
    script = f"""
        import select
        from minigun_py.contexts.fork_server import fork_server
        def work(sock, slot):
            say("running")
            {work}
            select.select([], [], [])
        server = fork_server(work)
        for slot in range(2):
            server.spawn(slot)
        select.select([], [], [])
    """
    with start(script) as program:
        assert [program.hear(), program.hear()] == ["running", "running"]
        assert len(program.watch()) == 3
        program.signal(signal.SIGKILL)
        assert program.wait() == -signal.SIGKILL
        assert program.survivors(SOON) == []
