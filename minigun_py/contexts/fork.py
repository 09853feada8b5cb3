"""In N forked processes that live as long as the run, over private socket pairs.

The thread that calls `serve` is a poll loop. It hands leases out, at most two to a worker, so that
a worker has its next lease before it needs it; it takes answers in, and it notices deaths. It
never blocks but in ``poll``, which any of these ends: a frame, room in a socket, a death, a lease
that has become available, a call of `kill`.

A death has two witnesses, the fork server's word and the end of the socket. The running item is
read from memory shared with the worker: before an item, the worker notes its index there. That
item alone is to blame; the other leases of the worker go back.

*Threads*: everything belongs to the thread in `serve`, but for `kill`, which only tells the fork
server, and the wake-up pipe.
"""

from __future__ import annotations

import contextlib
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final

from minigun_py.clock import Deadline
from minigun_py.contexts import crossing
from minigun_py.contexts.context import (
    Answer,
    Died,
    Done,
    Harvest,
    Kernel,
    Lease,
    LeaseReceiver,
    Returned,
    Traits,
)
from minigun_py.contexts.fork_server import Exited, ForkServer, Spawned
from minigun_py.contexts.fork_worker import RunningItems, work
from minigun_py.contexts.readable import wait_readable
from minigun_py.contexts.wake_up import WakeUp
from minigun_py.contexts.wire import (
    Frame,
    FrameKind,
    FrameReader,
    FrameWriter,
    encode,
)
from minigun_py.errors import ContextError, EndOfChannel, WorkerDied, WouldBlock

__all__ = ["ForkContext"]

WINDOW: Final = 2
"""Leases at one worker: the one that runs and the next. A busy parent can be 5 ms late."""

LONG_LEASE_SECONDS: Final = 0.05
"""A worker whose last lease took longer has no second one waiting: others may be idle sooner."""

SERVER_EXIT_SECONDS: Final = 2.0
"""How long the fork server may take to kill what is left of its workers, and end."""

MAX_EARLY_DEATHS: Final = 8
"""Deaths in a row of workers that never answered: more of them are no accident."""


class ForkContext:
    """N forked workers, and a poll loop that feeds them."""

    traits: ClassVar = Traits(shares_memory=False, survives_crash=True, killable=True)

    def __init__(self) -> None:
        self._server: ForkServer | None = None
        self._workers: dict[int, _Worker] = {}
        self._why_killed: str | None = None

    def open(self, kernel: Kernel, workers: int) -> None:
        """Fork the fork server and, through it, the workers."""
        self._kernel, self._count = kernel, workers
        self._running = RunningItems(workers)
        self._server = ForkServer(lambda sock, slot: work(sock, kernel, self._running, slot))
        for slot in range(workers):
            self._server.spawn(slot)

    def serve(self, leases: LeaseReceiver, answer: Callable[[Answer], None]) -> None:
        """Run leases until they end. Raises `ContextError` if the fork server is killed."""
        assert self._server is not None, "open comes before serve"
        with WakeUp() as wake:
            leases.on_ready(wake.set)
            crew = _Crew(self._server, self._workers, self._count, self._running)
            try:
                _ServeLoop(self._kernel, crew, leases, answer, wake).run()
            except ContextError as error:
                raise ContextError(self._why_killed or str(error)) from error

    def kill(self, why: str) -> None:
        """Kill every worker and the fork server; `serve` raises `ContextError` with `why`."""
        if self._server is not None:
            self._why_killed = why
            self._server.kill_all()

    def close(self, deadline: Deadline) -> None:
        """Let idle workers end by themselves until the deadline, then kill what is left."""
        if self._server is None:
            return
        for worker in self._workers.values():
            worker.close()
        self._wait_for_exits(self._server, deadline)
        self._workers.clear()
        self._server.close(Deadline.after(SERVER_EXIT_SECONDS))
        self._running.close()
        self._server = None

    def _wait_for_exits(self, server: ForkServer, deadline: Deadline) -> None:
        while self._workers and wait_readable(server, deadline.remaining()):
            told, open_ = server.receive()
            for message in told:
                if isinstance(message, Spawned):
                    message.socket.close()
                else:
                    self._workers.pop(message.pid, None)
            if not open_:
                return


@dataclass(frozen=True, slots=True)
class _Crew:
    """The workers by pid, the server that forks them, and what they note of their items."""

    server: ForkServer
    workers: dict[int, _Worker]
    size: int
    running: RunningItems


class _ServeLoop:
    """The poll loop of one `serve`."""

    def __init__(
        self,
        kernel: Kernel,
        crew: _Crew,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        wake: WakeUp,
    ) -> None:
        self._kernel, self._leases, self._answer, self._wake = kernel, leases, answer, wake
        self._server, self._workers, self._running = crew.server, crew.workers, crew.running
        self._size = crew.size
        self._poller = select.poll()
        self._poller.register(self._server, select.POLLIN)
        self._poller.register(wake, select.POLLIN)
        for worker in self._workers.values():
            self._poller.register(worker.socket, select.POLLIN)
        self._suspects: set[Lease] = set()  # something in them may kill a worker as it crosses
        self._ended = False
        self._early_deaths = 0

    def run(self) -> None:
        while True:
            self._wake.clear()
            self._hand_out()
            if self._ended and not any(w.leases for w in self._workers.values()):
                return
            for fd, event in self._poller.poll():
                if fd == self._server.fileno():
                    self._hear_server()
                elif fd != self._wake.fileno():
                    self._hear_worker(fd, event)

    def _hand_out(self) -> None:
        """Give leases to the workers that hold the fewest, until there are none now."""
        for held in range(WINDOW):
            if held and len(self._workers) < self._size:
                return  # a worker that is about to come has a better claim to it
            for worker in tuple(self._workers.values()):
                if self._ended:
                    return
                if len(worker.leases) == held < worker.window and not worker.gone:
                    try:
                        lease = self._leases.receive_nowait()
                    except WouldBlock:
                        return
                    except EndOfChannel:
                        self._ended = True
                        return
                    self._send(worker, lease)

    def _send(self, worker: _Worker, lease: Lease, one_by_one: bool = False) -> None:
        worker.leases[lease.place] = lease
        one_by_one = one_by_one or lease in self._suspects
        self._suspects.discard(lease)
        try:
            if one_by_one:
                blobs = crossing.pack_each(lease.items)
                parts = encode(FrameKind.RUN_ONE_BY_ONE, lease.place, blobs)
            else:
                kind = FrameKind.RUN_LAST if lease.last else FrameKind.RUN
                parts = encode(kind, lease.place, lease.items)
        except Exception:
            self._send(worker, lease, one_by_one=True)
            return
        with contextlib.suppress(OSError):  # a dead worker: the fork server will say so
            worker.writer.send(parts)
        self._watch(worker)

    def _watch(self, worker: _Worker) -> None:
        events = select.POLLIN | (select.POLLOUT if worker.writer.pending else 0)
        if events != worker.events:
            worker.events = events
            self._poller.register(worker.socket, events)

    def _hear_worker(self, fd: int, event: int) -> None:
        worker = next((w for w in self._workers.values() if w.socket.fileno() == fd), None)
        if worker is None:  # buried earlier in this turn
            return
        if event & select.POLLOUT:
            with contextlib.suppress(OSError):  # as in _send
                worker.writer.flush()
            self._watch(worker)
        if event & ~select.POLLOUT:
            self._take_frames(worker)

    def _take_frames(self, worker: _Worker) -> None:
        frames, open_ = worker.reader.read()
        for frame in frames:
            self._take(worker, frame)
        if not open_ and not worker.gone:
            worker.gone = True  # what it died of comes from the fork server
            self._poller.unregister(worker.socket)

    def _take(self, worker: _Worker, frame: Frame) -> None:
        lease = worker.leases.pop(frame.token)
        worker.answered = True
        if frame.kind is not FrameKind.UNREADABLE:
            try:
                harvest = self._load(frame, lease)
            except _Unreadable:
                pass
            else:
                worker.window = WINDOW if harvest.seconds < LONG_LEASE_SECONDS else 1
                self._answer(Done(lease, harvest))
                return
        self._send(worker, lease, one_by_one=True)

    def _load(self, frame: Frame, lease: Lease) -> Harvest:
        kernel = self._kernel
        if frame.kind is FrameKind.DONE_ONE_BY_ONE:
            harvest = crossing.unpack_each(frame.load(), kernel.stages, kernel.exit_stages)
        else:
            try:
                harvest = crossing.unpack_harvest(frame.load())
            except Exception as error:
                raise _Unreadable from error
        harvest.failures = crossing.with_items(harvest.failures, kernel.stages[0], lease.items)
        return harvest

    def _hear_server(self) -> None:
        told, open_ = self._server.receive()
        for message in told:
            if isinstance(message, Spawned):
                self._welcome(message)
            else:
                self._bury(message)
        if not open_:
            raise ContextError("the fork server died, and its workers with it")

    def _welcome(self, spawned: Spawned) -> None:
        worker = _Worker(spawned)
        self._workers[spawned.pid] = worker
        self._poller.register(worker.socket, worker.events)

    def _bury(self, exited: Exited) -> None:
        """Take what a dead worker still said, blame its running item, and replace it."""
        worker = self._workers[exited.pid]
        if not worker.gone:
            self._take_frames(worker)
        if not worker.gone:  # somebody else holds its end open; the fork server's word counts
            self._poller.unregister(worker.socket)
        del self._workers[exited.pid]
        worker.close()
        self._account(worker, WorkerDied(_obituary(exited), exited.status))
        if not self._ended:
            self._replace(worker, exited)

    def _account(self, worker: _Worker, death: WorkerDied) -> None:
        place, index = self._running.read(worker.slot)
        self._running.clear(worker.slot)
        untold: WorkerDied | None = death
        for lease in sorted(worker.leases.values(), key=lambda lease: lease.place != place):
            if lease.place == place and 0 <= index < len(lease.items):
                self._answer(Died(lease, index, death))
            else:
                if untold is not None:  # no item was running: one of these died on its way
                    self._suspects.add(lease)
                self._answer(Returned(lease, untold))
            untold = None  # a death is told once
        worker.leases.clear()

    def _replace(self, worker: _Worker, exited: Exited) -> None:
        self._early_deaths = 0 if worker.answered else self._early_deaths + 1
        if self._early_deaths > MAX_EARLY_DEATHS:
            raise ContextError(f"workers die before their first answer: {_obituary(exited)}")
        self._server.spawn(worker.slot)


class _Worker:
    """What the parent knows of one worker."""

    def __init__(self, spawned: Spawned) -> None:
        self.slot = spawned.slot
        self.socket = spawned.socket
        self.socket.setblocking(False)
        self.reader = FrameReader(self.socket)
        self.writer = FrameWriter(self.socket)
        self.leases: dict[int, Lease] = {}
        self.events = select.POLLIN
        self.gone = False
        self.answered = False
        self.window = 1

    def close(self) -> None:
        """Let it end: it sees the end of its frames."""
        with self.socket, contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)


class _Unreadable(Exception):
    """An answer cannot be unpickled; it has to be given again, one by one."""


def _obituary(exited: Exited) -> str:
    if exited.status < 0:
        return f"the worker was killed by {signal.Signals(-exited.status).name}"
    return f"the worker ended with exit code {exited.status}"
