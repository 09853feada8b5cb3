"""The loop that feeds workers over private socket pairs: forks, processes, interpreters.

It hands leases out, at most two to a worker, so that a worker has its next lease before it needs
it; it takes answers in, and it notices deaths. It never waits: its `switchboard` has it look again
after a frame, room in a socket, a death, or when a lease has become available.

A death has two witnesses, the crew's word and the end of the socket. The running item is read
from memory shared with the worker: before an item, the worker notes its index there. That item
alone is to blame; the other leases of the worker go back.

Where items have a time limit, a worker that is at one for too long is killed, and the item *timed
out*. If the worker had just gone on to another item, its leases go back and nothing is to blame.

A worker that has had its share of items is *released*: its socket is ended for writing, it tears
down what its stages had set up, and exits. At the end of the stream all are.

*Threads*: it belongs to whoever has the seat at the switchboard.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from typing import Final

from minigun_py.clock import earliest
from minigun_py.contexts import crossing
from minigun_py.contexts.answer import (
    WINDOW,
    Answer,
    Died,
    Done,
    Emitted,
    Harvest,
    Lease,
    Returned,
    Vanished,
)
from minigun_py.contexts.context import LeaseReceiver
from minigun_py.contexts.crew import Exited, Spawned
from minigun_py.contexts.ears import Ears
from minigun_py.contexts.frame import Frame, FrameKind, encode
from minigun_py.contexts.kernel import Kernel
from minigun_py.contexts.log_forwarding import receive_record
from minigun_py.contexts.portable_errors import unpack_error
from minigun_py.contexts.post_mortem import PostMortem
from minigun_py.contexts.remote_worker import Parts, RemoteWorker, part_of
from minigun_py.contexts.staff import Staff
from minigun_py.contexts.switchboard import Line
from minigun_py.contexts.time_limit import TimeLimit
from minigun_py.errors import (
    ContextError,
    EndOfChannel,
    ItemTimedOut,
    NotPicklable,
    WorkerDied,
    WouldBlock,
)

__all__ = ["ServeLoop"]

MAX_EARLY_DEATHS: Final = 8
"""Deaths in a row of workers that never answered: more of them are no accident."""


class ServeLoop:
    """The loop of one `serve`."""

    def __init__(
        self,
        kernel: Kernel,
        staff: Staff,
        leases: LeaseReceiver,
        answer: Callable[[Answer], None],
        line: Line,
    ) -> None:
        self._kernel, self._leases, self._answer, self._line = kernel, leases, answer, line
        self._staff, self._workers, self._running = staff, staff.workers, staff.running
        self._post_mortem = PostMortem()
        self._limit = TimeLimit(kernel.timeout, staff.running)
        self._streams, self._holds = kernel.streams, kernel.holds
        self._shares = staff.most_items is not None or staff.most_leases is not None
        self._suspects: set[Lease] = set()  # something in them may kill a worker as it crosses
        self._ended: set[int] = set()  # slots of workers that get no other lease
        self._early_deaths = 0

    def begin(self) -> None:
        """Listen to whoever starts the workers."""
        self._ears = Ears(self._line, self._staff.crew.fileno())

    def look(self) -> bool:
        """Hand out what there is to be handed out. False when all leases and workers have ended.

        Raises:
            ChannelAborted: The leases were cut.
            Exception: Something in the hands of this loop is broken.
        """
        self._leases.raise_if_cut()
        self._hand_out()
        if self._ended or self._shares:
            self._release()
        if len(self._ended) == self._staff.size and not (self._workers or self._staff.expected):
            return False
        if self._limit.seconds is not None:
            self._kill_overdue()
        if self._streams:  # what leaves as it comes is heard while there is room for it
            self._ears.listen_to_all(self._leases.has_room)
        return True

    def wait_time(self) -> float | None:
        """Seconds until something has to be done though nothing is heard; None for never."""
        seconds = self._leases.wait_time()
        if self._limit.seconds is not None:
            seconds = earliest(seconds, self._limit.wait_time(self._workers.values()))
        return seconds

    def hear(self, descriptor: int, events: int) -> None:
        """Take in what a worker, or whoever starts them, has said.

        Raises:
            ContextError: The workers cannot be kept alive.
            Exception: What a setup or a teardown raised in a worker.
        """
        worker = self._ears.workers.get(descriptor)
        if worker is not None:
            self._hear_worker(worker, events)
        elif descriptor == self._ears.crew:
            self._hear_crew()

    def _kill_overdue(self) -> None:
        """End the workers whose item has taken too long. They are replaced as they are buried."""
        for worker in self._limit.overdue(self._workers.values()):
            self._staff.crew.kill(worker.number)

    def _hand_out(self) -> None:
        """Give leases to the workers that hold the fewest, until there are none now."""
        for held in range(WINDOW):
            if held and len(self._workers) < self._staff.size and not self._leases.bound:
                return  # a worker that is about to come has a better claim to it
            for worker in tuple(self._workers.values()):
                if len(worker.leases) != held or worker.slot in self._ended:
                    continue
                if worker.takes_one_more:
                    self._lend(worker)

    def _lend(self, worker: RemoteWorker) -> None:
        try:
            lease = self._leases.receive_nowait(worker.slot + 1, worker.items_left)
        except WouldBlock:
            return
        except EndOfChannel:
            self._ended |= {worker.slot} if self._leases.bound else set(range(self._staff.size))
            return
        worker.lend(lease)
        self._send(worker, lease)

    def _release(self) -> None:
        """Let go the workers that get no other lease and have answered for theirs."""
        busy = any(w.leases for w in self._workers.values())
        for worker in self._workers.values():
            over = worker.slot in self._ended and (self._leases.bound or not busy)
            if (over or worker.has_had_its_share) and not worker.leases:
                worker.release()

    def _send(self, worker: RemoteWorker, lease: Lease, one_by_one: bool = False) -> None:
        worker.leases[lease.place] = lease
        one_by_one = one_by_one or (lease in self._suspects and bool(lease.items))
        self._suspects.discard(lease)
        last = lease.last or (self._holds and worker.has_had_its_share)
        worker.told_to_emit |= last
        if lease.attempt > 1:
            self._write(worker, encode(FrameKind.ATTEMPT, lease.attempt))
        try:
            if one_by_one:
                kind = FrameKind.RUN_LAST_ONE_BY_ONE if last else FrameKind.RUN_ONE_BY_ONE
                parts = encode(kind, lease.place, crossing.pack_each(lease.items))
            else:
                kind = FrameKind.RUN_LAST if last else FrameKind.RUN
                kind = FrameKind.RUN_FLUSH if lease.flush and not last else kind
                parts = encode(kind, lease.place, lease.items, worker.arena)
        except Exception:
            self._send(worker, lease, one_by_one=True)
            return
        self._write(worker, parts)

    def _write(self, worker: RemoteWorker, parts: list[memoryview]) -> None:
        try:
            worker.writer.send(parts)
        except OSError:  # a dead worker: the crew will say so
            return
        self._ears.note_pending(worker)

    def _hear_worker(self, worker: RemoteWorker, event: int) -> None:
        if event & select.POLLOUT:
            with contextlib.suppress(OSError):  # as in _write
                worker.writer.flush()
            self._ears.note_pending(worker)
        if event & ~select.POLLOUT:
            self._take_frames(worker)

    def _take_frames(self, worker: RemoteWorker) -> bool:
        """Take some frames. False if there were none."""
        frames, open_ = worker.reader.read()
        for frame in frames:
            self._take(worker, frame)
        if not open_ and not worker.gone:
            worker.gone = True  # what it died of comes from the crew
            self._ears.remove(worker)
        return bool(frames)

    def _take(self, worker: RemoteWorker, frame: Frame) -> None:
        match frame.kind:
            case FrameKind.DONE:
                self._take_answer(worker, frame)
            case FrameKind.FAILED:
                raise unpack_error(frame.load())
            case FrameKind.LOGGED:
                receive_record(frame.load())
            case FrameKind.RETIRE:
                worker.retired = worker.told_to_emit = True
            case FrameKind.PART if self._streams:
                self._answer(Emitted(worker.leases[frame.token], *part_of(frame)))
            case FrameKind.PART:
                worker.parts.setdefault(frame.token, Parts()).add(frame)
            case FrameKind.DRAIN:
                self._kernel.control.drain()
            case FrameKind.CANCEL:
                self._kernel.control.cancel.cancel(frame.load())
            case _:
                self._take_answer(worker, frame)

    def _take_answer(self, worker: RemoteWorker, frame: Frame) -> None:
        lease, parts = worker.leases.pop(frame.token), worker.parts.pop(frame.token, None)
        worker.answered = True
        if frame.kind is not FrameKind.UNREADABLE:
            try:
                harvest = self._load(frame, lease, parts)
            except _Unreadable as unreadable:
                if self._holds:  # it cannot be run again
                    raise NotPicklable(str(unreadable.__cause__)) from unreadable.__cause__
            else:
                worker.took(harvest.seconds)
                self._answer(Done(lease, harvest))
                if lease.last:  # it exits by itself, maybe before anybody asks for another lease
                    self._ended.add(worker.slot)
                return
        self._send(worker, lease, one_by_one=True)

    def _load(self, frame: Frame, lease: Lease, parts: Parts | None) -> Harvest:
        kernel, outputs = self._kernel, {} if parts is None else parts.outputs
        if parts is not None and parts.unreadable is not None:
            raise _Unreadable from parts.unreadable
        try:
            if frame.kind is FrameKind.DONE_ONE_BY_ONE:
                harvest = crossing.unpack_each(
                    frame.load(), kernel.stages, kernel.exit_stages, kernel.holds
                )
            else:
                harvest = crossing.unpack_harvest(frame.load(), outputs)
        except Exception as error:
            raise _Unreadable from error
        if harvest.failures:
            harvest.failures = crossing.with_items(harvest.failures, kernel.stages[0], lease.items)
        return harvest

    def _hear_crew(self) -> None:
        told, open_ = self._staff.crew.receive()
        for message in told:
            if isinstance(message, Spawned):
                self._welcome(message)
            else:
                self._bury(message)
        if not open_:
            raise ContextError("the fork server died, and its workers with it")

    def _welcome(self, spawned: Spawned) -> None:
        staff = self._staff
        arena = staff.ends[spawned.slot]
        worker = RemoteWorker(spawned, arena, staff.most_items, staff.most_leases)
        staff.expected -= 1
        self._workers[worker.number] = worker
        self._ears.add(worker)
        if staff.code is not None:
            self._write(worker, encode(FrameKind.CODE, 0, staff.code))

    def _bury(self, exited: Exited) -> None:
        """Take what a worker still said, blame its running item if it died, and replace it."""
        worker = self._workers[exited.worker]
        while not worker.gone and self._take_frames(worker):
            pass
        if not worker.gone:  # somebody else holds its end open; the crew's word counts
            self._ears.remove(worker)
        del self._workers[exited.worker]
        worker.close()
        self._staff.ends[worker.slot].worker_gone()
        words = self._running.last_words(worker.slot)
        if self._running.died_tearing_down(worker.slot):
            raise self._post_mortem.death(exited, words, " while it tore down")
        kept_some = bool(worker.leases) or not (worker.released or worker.told_to_emit)
        if worker.leases or not (worker.released or worker.retired):
            self._account(worker, self._death(worker, exited, words))
        self._running.clear(worker.slot)
        if self._holds and kept_some:
            self._answer(Vanished(worker.slot + 1))
        if worker.slot not in self._ended:
            self._replace(worker, exited)

    def _death(
        self, worker: RemoteWorker, exited: Exited, words: str
    ) -> WorkerDied | ItemTimedOut | None:
        """What a worker died of. None: it retired, or was killed for an item that had ended."""
        if worker.retired and not exited.status:
            return None
        if worker.overdue is None:
            return self._post_mortem.death(exited, words)
        if worker.overdue != self._running.read(worker.slot):
            return None
        return ItemTimedOut(self._limit.seconds or 0.0)

    def _account(self, worker: RemoteWorker, death: WorkerDied | ItemTimedOut | None) -> None:
        place, index = self._running.read(worker.slot)
        untold = death if isinstance(death, WorkerDied) else None
        for lease in sorted(worker.leases.values(), key=lambda lease: lease.place != place):
            runs = lease.place == place and 0 <= index < len(lease.items)
            if runs and death is not None:
                self._answer(Died(lease, index, death))
            else:
                if untold is not None:  # no item was running: one of these died on its way
                    self._suspects.add(lease)
                self._answer(Returned(lease, untold))
            untold = None  # a death is told once
        worker.leases.clear()

    def _replace(self, worker: RemoteWorker, exited: Exited) -> None:
        accident = not (worker.answered or worker.overdue)
        self._early_deaths = self._early_deaths + 1 if accident else 0
        if self._early_deaths > MAX_EARLY_DEATHS:
            died = self._post_mortem.death(exited)
            raise ContextError(f"workers die before their first answer: {died}")
        self._staff.hire(worker.slot)


class _Unreadable(Exception):
    """An answer cannot be unpickled; it has to be given again, one by one."""
