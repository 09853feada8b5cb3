"""What a poll loop listens to: its workers, whoever starts them, and a pipe that ends the poll.

A worker is also asked whether its socket takes more, while something is pending for it.

*Threads*: it belongs to the thread of the loop.
"""

from __future__ import annotations

import select

from minigun_py.contexts.remote_worker import RemoteWorker

__all__ = ["Ears"]


class Ears:
    """A ``poll`` object, and who is behind its descriptors.

    Args:
        wake: The end of the pipe.
        crew: The descriptor of whoever starts workers.
    """

    def __init__(self, wake: int, crew: int) -> None:
        self.wake, self.crew = wake, crew
        self.workers: dict[int, RemoteWorker] = {}
        """By descriptor, those that are heard."""
        self._poller = select.poll()
        self._poller.register(crew, select.POLLIN)
        self._poller.register(wake, select.POLLIN)
        self.poll = self._poller.poll
        """Wait, for milliseconds or for ever; the descriptors that have something, and what."""
        self._listens = True

    def add(self, worker: RemoteWorker) -> None:
        """Listen to a worker, too."""
        self.workers[worker.socket.fileno()] = worker
        self._register(worker)

    def remove(self, worker: RemoteWorker) -> None:
        """Listen to it no more."""
        self._poller.unregister(worker.socket)
        del self.workers[worker.socket.fileno()]

    def note_pending(self, worker: RemoteWorker) -> None:
        """Hear when its socket takes more, if something is pending for it."""
        if worker.writer.pending != bool(worker.events & select.POLLOUT) and not worker.gone:
            self._register(worker)

    def listen_to_all(self, listens: bool) -> None:
        """Take in what workers say, or leave it where it is for now."""
        if listens != self._listens:
            self._listens = listens
            for worker in self.workers.values():
                self._register(worker)

    def _register(self, worker: RemoteWorker) -> None:
        events = select.POLLIN if self._listens else 0
        worker.events = events | (select.POLLOUT if worker.writer.pending else 0)
        self._poller.register(worker.socket, worker.events)
