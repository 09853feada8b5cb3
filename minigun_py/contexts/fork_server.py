"""The fork server: a single-threaded child that forks every worker of a context.

It is forked when a context opens, before the run has threads, so it inherits the user's closures
and loaded data, and a parent that has threads by then never forks again. It makes a socket pair
for each worker, hands the parent's end over, and is the workers' parent: it reaps them and says
what they died of.

::

    parent                    fork server                   worker
      │ ── SPAWN slot ──────────> │ ── fork ─────────────────> │
      │ <── SPAWNED slot pid, fd ─│                            │
      │ <════════ a private socket pair, frames ═════════════> │
      │ <── EXITED pid status ─── │ <── waitpid ─────────────  ✝

*Invariants*: nothing is shared between workers. A worker dies with the fork server (it asks for a
parent-death signal, which is safe because the fork server has one thread), and the fork server
ends with the parent (it watches its socket and its parent's process descriptor). So no worker
outlives the parent, whatever kills it. Signals are blocked around every fork.

*Threads*: the parent side is used by one thread at a time, but for `kill_all`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import select
import signal
import socket
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from minigun_py.clock import Deadline
from minigun_py.contexts.readable import wait_readable
from minigun_py.errors import ContextError

__all__ = ["Exited", "ForkServer", "Spawned"]

_MESSAGE: Final = struct.Struct("<cqi")
_SPAWN, _KILL, _SPAWNED, _EXITED = b"S", b"K", b"W", b"E"
_PR_SET_PDEATHSIG: Final = 1
_PARENT_CHECK: Final = 0.5
"""Seconds between looks at the parent where process descriptors are missing."""

RunWorker = Callable[[socket.socket, int], None]


@dataclass(frozen=True, slots=True)
class Spawned:
    """A worker is there. `socket` is the parent's end of its pair."""

    slot: int
    pid: int
    socket: socket.socket


@dataclass(frozen=True, slots=True)
class Exited:
    """A worker is gone. `status` is its exit code, or the negated number of a signal."""

    pid: int
    status: int


class ForkServer:
    """The parent's side. `run_worker(socket, slot)` is what a forked worker does."""

    def __init__(self, run_worker: RunWorker) -> None:
        _flush_standard_streams()
        self._libc = ctypes.CDLL(None, use_errno=True)  # loaded here: a child should not have to
        self._ended = False
        self._socket, theirs = socket.socketpair()
        parent = os.getpid()
        self._pid = _fork(
            lambda: _Server(theirs, self._libc, run_worker, self._socket, parent).run()
        )
        theirs.close()
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Readable when `receive` has something to tell."""
        return self._socket.fileno()

    def spawn(self, slot: int) -> None:
        """Ask for a worker. `Spawned` follows."""
        self._send(_SPAWN, slot)

    def kill(self, pid: int) -> None:
        """Kill a worker. `Exited` follows."""
        self._send(_KILL, pid)

    def kill_all(self) -> None:
        """Kill the fork server, and with it every worker. From any thread."""
        if not self._ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def receive(self) -> tuple[list[Spawned | Exited], bool]:
        """What it has told since the last call, and whether it is still there."""
        told: list[Spawned | Exited] = []
        while True:
            try:
                message, fds, _, _ = socket.recv_fds(self._socket, _MESSAGE.size, 1)
            except BlockingIOError:
                return told, True
            except ConnectionResetError:
                return told, False
            if not message:
                return told, False
            kind, number, status = _MESSAGE.unpack(message)
            if kind == _SPAWNED:
                told.append(Spawned(status, number, socket.socket(fileno=fds[0])))
            else:
                told.append(Exited(number, status))

    def close(self, deadline: Deadline) -> None:
        """End it. Workers that are still alive are killed; it is killed itself at the deadline."""
        with self._socket, contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
            if not self._has_ended(deadline):
                self.kill_all()
        self._ended = True  # first: once it is reaped, its number may be somebody else's
        os.waitpid(self._pid, 0)

    def _has_ended(self, deadline: Deadline) -> bool:
        """Wait for the other end to close, which is the last that a process does."""
        while True:
            if not wait_readable(self._socket, deadline.remaining()):
                return False
            told, open_ = self.receive()
            for message in told:
                if isinstance(message, Spawned):
                    message.socket.close()
            if not open_:
                return True

    def _send(self, kind: bytes, number: int) -> None:
        try:
            self._socket.sendall(_MESSAGE.pack(kind, number, 0))
        except OSError as error:
            raise ContextError(f"the fork server is gone: {error}") from error


class _Server:
    """The child's side: forks, reaps, tells, and ends with the parent."""

    def __init__(
        self,
        sock: socket.socket,
        libc: ctypes.CDLL,
        run_worker: RunWorker,
        parents_end: socket.socket,
        parent: int,
    ) -> None:
        parents_end.close()
        self._socket, self._libc, self._run_worker = sock, libc, run_worker
        self._parent, self._me = parent, os.getpid()
        self._workers: set[int] = set()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _ignore)  # the parent decides when we end
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        gc.freeze()  # keeps the collector from touching, and so copying, inherited pages
        try:
            self._loop(wake)
        finally:
            self._kill_workers()

    def _loop(self, wake: int) -> None:
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        poller.register(wake, select.POLLIN)
        with _watched(self._parent) as watch:
            if watch is not None:
                poller.register(watch, select.POLLIN)
            period = None if watch is not None else _PARENT_CHECK * 1000
            while os.getppid() == self._parent:
                ready = {fd for fd, _ in poller.poll(period)}
                if wake in ready:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake, 4096)
                self._reap()
                if self._socket.fileno() in ready and not self._obey():
                    return

    def _obey(self) -> bool:
        """Carry out one request. False when the parent has closed."""
        try:
            message = self._socket.recv(_MESSAGE.size)
        except ConnectionResetError:
            return False
        if not message:
            return False
        kind, number, _ = _MESSAGE.unpack(message)
        if kind == _SPAWN:
            self._spawn(number)
        elif number in self._workers:
            os.kill(number, signal.SIGKILL)
        return True

    def _spawn(self, slot: int) -> None:
        ours, theirs = socket.socketpair()
        pid = _fork(lambda: self._become_worker(theirs, ours, slot))
        theirs.close()
        self._workers.add(pid)
        with ours, contextlib.suppress(OSError):  # no parent: the loop ends at its next turn
            socket.send_fds(self._socket, [_MESSAGE.pack(_SPAWNED, pid, slot)], [ours.fileno()])

    def _become_worker(self, sock: socket.socket, parents_end: socket.socket, slot: int) -> None:
        self._die_with_server()
        parents_end.close()
        self._socket.close()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._run_worker(sock, slot)

    def _die_with_server(self) -> None:
        with contextlib.suppress(AttributeError):  # no prctl outside Linux: there, end of file
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != self._me:  # it died before we asked
            os._exit(1)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._workers.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):
                self._socket.sendall(_MESSAGE.pack(_EXITED, pid, code))

    def _kill_workers(self) -> None:
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        for pid in self._workers:
            os.waitpid(pid, 0)


class _Turn:
    """One fork at a time: the filters of warnings, which a fork changes, belong to everybody."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """In a child, whose copy of the lock may be held by a thread that it does not have."""
        self.lock = threading.Lock()


_turn: Final = _Turn()
os.register_at_fork(after_in_child=_turn.renew)


def _fork(child: Callable[[], None]) -> int:
    """Fork. The child runs `child` with signals blocked, and never returns."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with _turn.lock, warnings.catch_warnings():
            # A parent with threads is warned of by 3.12+. The fork server takes no lock of the
            # parent's: it only forks. What a user's closure does with a held lock is documented.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _run_and_exit(child)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _run_and_exit(child: Callable[[], None]) -> NoReturn:
    status = 1
    try:
        child()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:  # raised by a stage: real ones do not reach a worker
        status = 128 + signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        _flush_standard_streams()
        os._exit(status)


def _flush_standard_streams() -> None:
    """So that a child does not write once more what waits in them. They may be closed, or None."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


@contextlib.contextmanager
def _watched(pid: int) -> Iterator[int | None]:
    """A descriptor that becomes readable when the process ends; None where there is no such."""
    try:
        fd: int | None = os.pidfd_open(pid)
    except (AttributeError, OSError):
        fd = None
    try:
        yield fd
    finally:
        if fd is not None:
            os.close(fd)


def _ignore(number: int, frame: Any) -> None:
    """A handler rather than SIG_IGN: programs that a stage starts get the default again."""
