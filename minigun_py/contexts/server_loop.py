"""What a fork server does: forks workers, reaps them, tells, and ends with its parent."""

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
from collections.abc import Callable, Iterator
from typing import Any, Final

from minigun_py.contexts.forking import fork

__all__ = ["EXITED", "KILL", "MESSAGE", "SPAWN", "SPAWNED", "RunWorker", "ServerLoop"]

MESSAGE: Final = struct.Struct("<cqiq")
SPAWN, KILL, SPAWNED, EXITED = b"S", b"K", b"W", b"E"
_PR_SET_PDEATHSIG: Final = 1
_MAXRSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024
_PARENT_CHECK: Final = 0.5
"""Seconds between looks at the parent where process descriptors are missing."""

RunWorker = Callable[[socket.socket, int], None]


class ServerLoop:
    """The child's side. `run_worker(socket, slot)` is what a forked worker does."""

    def __init__(
        self,
        sock: socket.socket,
        libc: ctypes.CDLL,
        run_worker: RunWorker,
        parent: int,
    ) -> None:
        self._socket, self._libc, self._run_worker = sock, libc, run_worker
        self._parent, self._me = parent, os.getpid()
        self._workers: set[int] = set()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, ignore_signal)  # the parent decides when we end
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, ignore_signal)
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
            message = self._socket.recv(MESSAGE.size)
        except ConnectionResetError:
            return False
        if not message:
            return False
        kind, number, *_ = MESSAGE.unpack(message)
        if kind == SPAWN:
            self._spawn(number)
        elif number in self._workers:
            os.kill(number, signal.SIGKILL)
        return True

    def _spawn(self, slot: int) -> None:
        ours, theirs = socket.socketpair()
        pid = fork(lambda: self._become_worker(theirs, ours, slot))
        theirs.close()
        self._workers.add(pid)
        with ours, contextlib.suppress(OSError):  # no parent: the loop ends at its next turn
            socket.send_fds(self._socket, [MESSAGE.pack(SPAWNED, pid, slot, 0)], [ours.fileno()])

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
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            self._workers.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            with contextlib.suppress(OSError):
                self._socket.sendall(
                    MESSAGE.pack(EXITED, pid, code, usage.ru_maxrss * _MAXRSS_UNIT)
                )

    def _kill_workers(self) -> None:
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        for pid in self._workers:
            os.waitpid(pid, 0)


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


def ignore_signal(number: int, frame: Any) -> None:
    """A handler rather than SIG_IGN: programs that a stage starts get the default again."""
