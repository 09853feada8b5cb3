"""One poll for the loops of several contexts, and the seat in front of it.

A loop never waits: it is told what was heard on its descriptors, and looks what there is to do.
Whoever has the seat waits for all loops at once, and lets them go on. Nobody is employed for that:
it is done by threads that have nothing else to do until a loop has got on::

    thread of a loop, in `serve`   ──┐
    thread of a loop, in `serve`   ──┼──> seat ──> poll ──> loop, loop, loop
    who takes outputs, in `visit`  ──┘

Why: to wake a thread on another processor may take longer than to handle a chunk of items. So who
waits for outputs does himself what brings them about.

One of the threads in `serve` is the *keeper*: it has the seat while there is no visitor. A visitor
who goes off with outputs mostly comes back at once, so he leaves the seat empty; the keeper, which
sleeps meanwhile, takes it when the visitor has been away for some milliseconds. The other threads
sleep until their loop is over.

*Threads*: loops belong to whoever has the seat; everything here may be called from any thread.
*Lock order*: the seat is taken before any other lock. `_lock` guards who has come and who keeps,
and is a leaf.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from threading import get_ident
from typing import Final, Protocol

from minigun_py.clock import Deadline, earliest
from minigun_py.contexts.readable import milliseconds
from minigun_py.contexts.wake_up import WakeUp

__all__ = ["Line", "PolledLoop", "Switchboard"]

AWAY_SECONDS: Final = 0.005
"""A visitor who has been away for so long is not expected back at once. A worker with tiny items
has another lease meanwhile, which takes about as long."""
LONGEST_SLEEP: Final = 0.04
"""While a visitor stays for long the keeper looks less often, up to this many seconds apart."""
_NEVER: Final = Deadline(None)


class PolledLoop(Protocol):
    """What a context does over descriptors, a step at a time. No step waits."""

    def begin(self) -> None:
        """Listen to what there is to be heard."""
        ...

    def look(self) -> bool:
        """Do what there is to be done. False when all is over."""
        ...

    def wait_time(self) -> float | None:
        """Seconds until it has to look though nothing is heard; None for never."""
        ...

    def hear(self, descriptor: int, events: int) -> None:
        """Take in what a descriptor has."""
        ...


class Line:
    """What joins one loop to its board."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self.woken, self.due = True, _NEVER
        """Whether the loop has to look, and when it has to without being told."""
        self.over = False
        self.error: BaseException | None = None
        """What has ended it."""
        self.called = threading.Event()
        """Ends the sleep of its thread."""

    def serve(self, loop: PolledLoop) -> None:
        """Wait until the loop is over, and see to the board meanwhile. Raises what it has raised.

        It is for the thread that the loop is about.
        """
        self.loop = loop
        self._board.serve(self)
        if self.error is not None:
            raise self.error

    def wake(self) -> None:
        """Have the loop look, now or as soon as somebody has the seat. From any thread."""
        self.woken = True
        self._board.wake()

    def listen(self, descriptor: int, events: int) -> None:
        """For the loop: have its descriptor heard from now on, for these events alone."""
        self._board.listen(descriptor, events, self)

    def forget(self, descriptor: int) -> None:
        """For the loop: hear it no more."""
        self._board.forget(descriptor)


class Switchboard:
    """The poll, who is heard in it, and who has the seat."""

    def __init__(self) -> None:
        self._poller = select.poll()
        self._lines: list[Line] = []
        self._by_descriptor: dict[int, Line] = {}
        self._seat = threading.Lock()  # guards all of the above
        self._will_look: int | None = None  # the thread that looks once more before it listens
        self._wanted = False  # the seat, by a visitor
        self._visits = self._visits_seen = 0
        self._lock = threading.Lock()  # guards what follows
        self._coming: list[Line] = []
        self._keeper: Line | None = None
        self._wake = WakeUp().__enter__()
        self._poller.register(self._wake, select.POLLIN)

    def close(self) -> None:
        """No loop is there any more, and none will come. Idempotent."""
        self._wake.__exit__()

    def line(self) -> Line:
        """For a loop that comes."""
        return Line(self)

    # ------------------------------------------------------------- for who waits

    def serve(self, line: Line) -> None:
        """Have the seat, or sleep, until the loop of this line is over."""
        with self._lock:
            self._coming.append(line)
            self._keeper = self._keeper or line
        self.wake()
        try:
            while not line.over:
                if self._keeper is line:
                    self._keep(line)
                else:
                    line.called.wait()  # ended when it is over, or is to keep
                    line.called.clear()
        finally:
            self._hand_on(line)

    def visit(self, ready: Callable[[], bool], deadline: Deadline) -> None:
        """Have the seat until something is `ready`, or the deadline. One visitor at a time."""
        self._visits += 1
        if not self._seat.acquire(blocking=False):
            self._wanted = True
            try:
                self._wake.set()
                self._seat.acquire()  # whoever has it looks after each turn whether it is wanted
            finally:
                self._wanted = False
        try:
            self._look()
            while not (ready() or deadline.passed):
                self._listen(deadline)
                self._look()
        finally:
            self._seat.release()

    def hurry(self) -> None:
        """The visitor will not come back soon: call the keeper."""
        keeper = self._keeper
        if keeper is not None:
            keeper.called.set()

    def wake(self) -> None:
        """End the poll, now or the next one."""
        if self._will_look != get_ident():
            self._wake.set()

    def interrupt(self) -> None:
        """As `wake`, for the handler of a signal, which comes in between whatever its thread does.

        That may be the poll.
        """
        self._wake.set()

    # ------------------------------------------------------------- for the loops

    def listen(self, descriptor: int, events: int, line: Line) -> None:
        """Hear a descriptor for a line."""
        self._by_descriptor[descriptor] = line
        self._poller.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Hear it no more."""
        del self._by_descriptor[descriptor]
        self._poller.unregister(descriptor)

    # ------------------------------------------------------------- who has the seat

    def _keep(self, line: Line) -> None:
        """Sleep as long as visitors come and go, then have the seat until one comes."""
        seconds = AWAY_SECONDS
        while not line.over and self._is_visited():
            if self._visits == self._visits_seen:  # it is still the same
                seconds = min(2 * seconds, LONGEST_SLEEP)
            self._visits_seen = self._visits
            if line.called.wait(seconds):
                line.called.clear()
                break
        if self._seat.acquire(blocking=False):
            try:
                while not (line.over or self._wanted):
                    self._listen()
                    self._look()
            finally:
                self._seat.release()

    def _is_visited(self) -> bool:
        return self._wanted or self._visits != self._visits_seen or self._seat.locked()

    def _hand_on(self, line: Line) -> None:
        """Somebody else keeps from now on."""
        if not line.over:  # something is wrong with the board itself
            with self._seat:
                self._end(line)
        with self._lock:
            if self._keeper is line:
                others = (other for other in (*self._lines, *self._coming) if not other.over)
                self._keeper = next(others, None)
                if self._keeper is not None:
                    self._keeper.called.set()

    # ------------------------------------------------------------- who has it does

    def _look(self) -> None:
        """Let loops look as long as one has to, which may be because another has."""
        self._will_look = None  # a wake from now on ends the poll
        self._wake.clear(heard=False)
        if self._coming:
            self._welcome()
        for line in self._lines:
            if line.due.passed:  # and nothing else is written: another thread may just wake it
                line.woken = True
        while awake := [line for line in self._lines if line.woken]:
            self._will_look = get_ident()
            for line in awake:
                line.woken = False
                self._let_look(line)
            self._will_look = None

    def _listen(self, deadline: Deadline = _NEVER) -> None:
        """Wait until something is heard, something is due, or the deadline."""
        dues = (line.due.remaining() for line in self._lines)
        seconds = earliest(deadline.remaining(), *dues)
        for descriptor, events in self._poller.poll(milliseconds(seconds)):
            line = self._by_descriptor.get(descriptor)
            if line is not None:
                self._will_look = get_ident()
                line.woken = True
                try:
                    line.loop.hear(descriptor, events)
                except BaseException as error:
                    self._end(line, error)
            elif descriptor == self._wake.fileno():
                self._wake.clear()  # else it was forgotten in this very turn

    def _welcome(self) -> None:
        with self._lock:
            coming, self._coming = self._coming, []
            self._lines += coming
        for line in coming:
            try:
                line.loop.begin()
            except BaseException as error:
                self._end(line, error)

    def _let_look(self, line: Line) -> None:
        try:
            goes_on = line.loop.look()
            line.due = Deadline.after(line.loop.wait_time()) if goes_on else _NEVER
        except BaseException as error:
            self._end(line, error)
        else:
            if not goes_on:
                self._end(line)

    def _end(self, line: Line, error: BaseException | None = None) -> None:
        """A loop is over: its thread goes on, and raises the error."""
        for descriptor, whose in tuple(self._by_descriptor.items()):
            if whose is line:
                self.forget(descriptor)
        with self._lock:
            for lines in (self._lines, self._coming):
                if line in lines:
                    lines.remove(line)
        line.error, line.over = error, True
        line.called.set()
