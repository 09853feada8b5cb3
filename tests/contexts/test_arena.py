"""Large buffers lie in shared memory, are nobody else's while seen, and are free after that."""

from __future__ import annotations

import gc
import mmap
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pickle import PickleBuffer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigun_py.contexts.arena import LARGE, UNIT, UNITS, Arena, ArenaEnd, Stretch
from minigun_py.contexts.frame import FrameKind, Pickled, encode
from minigun_py.contexts.wire import FrameReader, write_frame

LIMIT = 20.0


@pytest.fixture
def arena() -> Iterator[Arena]:
    memory = Arena.shared(2)
    yield memory
    memory.close()


class Ends:
    """A parent and a worker with an arena, and a socket between them."""

    def __init__(self, arena: Arena, slot: int = 0) -> None:
        self.parent, self.worker = arena.of_parent(slot), arena.of_worker(slot)

    def sent(self, content: Any, up: bool = False) -> tuple[list[memoryview], Any]:
        """What goes through the socket, and what arrives."""
        here, there = (self.worker, self.parent) if up else (self.parent, self.worker)
        return self.moved(encode(FrameKind.RUN, 0, content, here), there)

    def moved(self, parts: list[memoryview], there: ArenaEnd) -> tuple[list[memoryview], Any]:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            thread = threading.Thread(target=write_frame, args=(ours, parts))
            thread.start()
            frame = FrameReader(theirs, there).next()
            thread.join(LIMIT)
        assert frame is not None
        return parts, frame.load()

    def given_back(self, arrived: list[Any]) -> tuple[list[memoryview], Any]:
        """What the worker has got goes back; it forgets it first."""
        answer = Pickled(arrived.pop())
        return self.moved(answer.frame(FrameKind.DONE, 0, self.worker), self.parent)

    def in_use(self) -> int:
        """Units whose flags are set."""
        return bytes(self.parent.look(Stretch(-1, 1, 0, 2 * UNITS))).count(1)


def filled(size: int, value: int = 7) -> bytearray:
    return bytearray([value]) * size


@settings(deadline=None, max_examples=30)
@given(sizes=st.lists(st.sampled_from([1, LARGE - 1, LARGE, LARGE + 1, 3 * UNIT + 5]), max_size=5))
def test_whatever_lies_where_arrives(sizes: list[int]) -> None:
    arena = Arena.shared(1)
    content = [filled(size, number) for number, size in enumerate(sizes)]
    _, arrived = Ends(arena).sent([PickleBuffer(buffer) for buffer in content])
    assert [bytes(buffer) for buffer in arrived] == [bytes(buffer) for buffer in content]
    arena.close()


LETTERS = bytes(range(256)) * (LARGE // 256 + 1)


@pytest.mark.parametrize(
    "buffer",
    [
        memoryview(bytearray(LETTERS)),
        memoryview(LETTERS),
        memoryview(LETTERS)[3:-7],
        memoryview(bytearray(LETTERS)).toreadonly(),
        memoryview(bytearray(LETTERS))[5:],
    ],
    ids=["writable", "bytes", "a part of bytes", "read-only", "a part"],
)
def test_whatever_holds_a_buffer_it_is_copied_whole(arena: Arena, buffer: memoryview) -> None:
    ends = Ends(arena)
    before = ends.parent.put(memoryview(bytearray(LARGE)))
    stretch = ends.parent.put(buffer)
    assert before is not None
    assert stretch is not None
    with ends.worker.look(stretch) as arrived, ends.worker.look(before) as neighbour:
        assert arrived == buffer
        assert not any(neighbour)


def test_what_is_large_does_not_go_through_the_socket(arena: Arena) -> None:
    parts, arrived = Ends(arena).sent([PickleBuffer(filled(LARGE)), PickleBuffer(filled(10))])
    assert sum(part.nbytes for part in parts) < 300
    assert [len(buffer) for buffer in arrived] == [LARGE, 10]


def test_a_large_pickle_lies_there_as_well(arena: Arena) -> None:
    content = [bytes(LARGE), "text" * LARGE, PickleBuffer(filled(LARGE))]
    ends = Ends(arena)
    parts, arrived = ends.sent(content)
    assert sum(part.nbytes for part in parts) < 300
    assert arrived[:2] == content[:2]
    assert bytes(arrived[2]) == bytes(filled(LARGE))
    del arrived
    assert ends.in_use() == 0


def test_what_arrives_is_a_copy_that_may_be_written_to(arena: Arena) -> None:
    original = filled(LARGE)
    _, arrived = Ends(arena).sent(PickleBuffer(original))
    arrived[0] = 99
    assert (original[0], arrived[0]) == (7, 99)


def test_what_was_read_only_stays_so(arena: Arena) -> None:
    _, arrived = Ends(arena).sent(PickleBuffer(bytes(LARGE)))
    assert memoryview(arrived).readonly


def test_a_memoryview_arrives_as_one(arena: Arena) -> None:
    ends = Ends(arena)
    table = memoryview(filled(2 * LARGE)).cast("d", (LARGE // 8, 2))
    parts, arrived = ends.sent([table, table[::2]])
    assert sum(part.nbytes for part in parts) < 600
    assert arrived[0] == table
    assert arrived[1].tolist() == table[::2].tolist()


def test_memory_is_free_when_the_last_view_has_gone(arena: Arena) -> None:
    ends = Ends(arena)
    _, arrived = ends.sent(PickleBuffer(filled(2 * UNIT)))
    part = memoryview(arrived)[5:10].toreadonly()
    del arrived
    assert ends.in_use() == 2
    del part
    assert ends.in_use() == 0


def test_what_is_free_is_used_again_and_what_is_not_is_left_alone(arena: Arena) -> None:
    ends = Ends(arena)
    kept = ends.sent(PickleBuffer(filled(UNIT, 1)))[1]
    for value in range(2, 2 * UNITS):
        assert (
            bytes(ends.sent(PickleBuffer(filled(3 * UNIT, value % 256)))[1][:1])[0] == value % 256
        )
        assert ends.in_use() == 1
    assert bytes(kept) == bytes(filled(UNIT, 1))


def test_what_has_no_room_goes_through_the_socket(arena: Arena) -> None:
    ends = Ends(arena)
    kept = [ends.sent(PickleBuffer(filled(UNIT * UNITS // 4, n)))[1] for n in range(4)]
    parts, arrived = ends.sent(PickleBuffer(filled(LARGE, 9)))
    assert sum(part.nbytes for part in parts) > LARGE
    assert bytes(arrived) == bytes(filled(LARGE, 9))
    assert [buffer[-1] for buffer in kept] == [0, 1, 2, 3]
    parts, _ = ends.sent(PickleBuffer(filled(UNIT * UNITS + 1)), up=True)
    assert sum(part.nbytes for part in parts) > UNIT * UNITS


def test_both_directions_have_their_own_memory(arena: Arena) -> None:
    ends = Ends(arena)
    down, up = (
        ends.sent(PickleBuffer(filled(LARGE, 1)))[1],
        ends.sent(PickleBuffer(filled(LARGE, 2)), up=True)[1],
    )
    assert (down[0], up[0]) == (1, 2)


def test_workers_have_their_own_memory(arena: Arena) -> None:
    arrived = [Ends(arena, slot).sent(PickleBuffer(filled(LARGE, slot)))[1] for slot in range(2)]
    assert [buffer[0] for buffer in arrived] == [0, 1]


# --------------------------------------------------------------- what goes back as it came


def test_what_goes_back_is_not_copied(arena: Arena) -> None:
    ends = Ends(arena)
    arrived = [ends.sent(PickleBuffer(filled(2 * LARGE)))[1]]
    arrived[0][1] = 42
    part = memoryview(arrived.pop())[1 : LARGE + 1]
    arrived.append(PickleBuffer(part))
    del part
    parts, back = ends.given_back(arrived)
    assert sum(part.nbytes for part in parts) < 300
    assert ends.in_use() == 2  # the units that went down
    assert (back[0], len(back)) == (42, LARGE)
    del back
    assert ends.in_use() == 0


def test_what_the_worker_still_sees_is_copied(arena: Arena) -> None:
    ends = Ends(arena)
    kept = ends.sent(PickleBuffer(filled(LARGE)))[1]
    _, back = ends.given_back([PickleBuffer(kept)])
    back[0] = 1
    kept[1] = 2
    assert (kept[0], back[1]) == (7, 7)
    del back
    assert ends.in_use() == 1
    del kept
    assert ends.in_use() == 0


def test_where_there_is_no_room_for_the_copy_it_goes_through_the_socket(arena: Arena) -> None:
    ends = Ends(arena)
    held = [ends.sent(PickleBuffer(filled(UNIT * UNITS)), up=True)[1]]
    kept = ends.sent(PickleBuffer(filled(LARGE, 3)))[1]
    parts, back = ends.given_back([PickleBuffer(kept)])
    assert sum(part.nbytes for part in parts) > LARGE
    assert bytes(back) == bytes(filled(LARGE, 3))
    assert len(held) == 1


def test_what_goes_back_twice_is_free_after_both(arena: Arena) -> None:
    ends = Ends(arena)
    arrived = [ends.sent(PickleBuffer(filled(LARGE)))[1]]
    whole = memoryview(arrived.pop())
    arrived.append([PickleBuffer(whole), PickleBuffer(whole[:])])
    del whole
    _, back = ends.given_back(arrived)
    assert ends.in_use() == 1
    back.pop()
    assert ends.in_use() == 1
    back.pop()
    assert ends.in_use() == 0


# --------------------------------------------------------------- ends


def test_what_a_dead_worker_held_is_free_and_what_the_parent_holds_is_not(arena: Arena) -> None:
    ends = Ends(arena)
    lost = ends.sent(PickleBuffer(filled(LARGE)))[1]
    kept = ends.sent(PickleBuffer(filled(LARGE, 5)), up=True)[1]
    ends.worker.put(memoryview(filled(LARGE)))  # of which the parent has never heard
    assert ends.in_use() == 3
    ends.parent.worker_gone()
    assert ends.in_use() == 1
    following = Ends(arena)
    for value in range(5):
        assert following.sent(PickleBuffer(filled(LARGE, value)), up=True)[1][0] == value
    assert bytes(kept) == bytes(filled(LARGE, 5))
    assert len(lost) == LARGE


def test_what_is_seen_outlives_the_arena() -> None:
    arena = Arena.shared(1)
    ends = Ends(arena)
    kept = ends.sent(PickleBuffer(filled(LARGE, 5)), up=True)[1]
    ends.sent(PickleBuffer(filled(LARGE, 6)), up=True)
    ends.parent.close()
    arena.close()
    assert bytes(kept) == bytes(filled(LARGE, 5))
    del kept


def test_a_forked_process_frees_nothing_of_its_parent(arena: Arena) -> None:
    ends = Ends(arena)
    holder = [ends.sent(PickleBuffer(filled(LARGE)))[1]]
    pid = os.fork()
    if pid == 0:
        holder.clear()
        gc.collect()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert ends.in_use() == 1
    assert len(holder) == 1


@pytest.mark.parametrize("side", ["parent", "worker"])
def test_where_one_side_is_not_there_all_goes_through_the_socket(
    side: str, arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError("too little memory")

    ends = Ends.__new__(Ends)
    for name, make in {"parent": arena.of_parent, "worker": arena.of_worker}.items():
        with monkeypatch.context() as patched:
            if name == side:
                patched.setattr(mmap, "mmap", refused)
            setattr(ends, name, make(0))
    for up in (False, True):
        parts, arrived = ends.sent([PickleBuffer(filled(LARGE)), bytes(LARGE)], up=up)
        assert sum(part.nbytes for part in parts) > 2 * LARGE
        assert bytes(arrived[0]) == bytes(filled(LARGE))
    assert getattr(ends, side).find(memoryview(filled(LARGE))) is None
    ends.parent.worker_gone()
    ends.parent.close()


def test_nothing_is_put_in_for_a_worker_that_has_not_come_yet(arena: Arena) -> None:
    parent = arena.of_parent(0)
    assert parent.put(memoryview(filled(LARGE))) is None
    arena.of_worker(0)
    assert parent.put(memoryview(filled(LARGE))) is not None
    parent.worker_gone()
    assert parent.put(memoryview(filled(LARGE))) is None


def test_views_that_die_in_many_threads_free_their_memory(arena: Arena) -> None:
    ends = Ends(arena)
    whole = ends.sent(PickleBuffer(filled(LARGE)))[1]
    stretch = ends.worker.find(memoryview(whole))
    assert stretch is not None
    for _ in range(50):
        views = [ends.worker.take(stretch) for _ in range(8)]
        threads = [threading.Thread(target=views.pop) for _ in views]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        assert ends.in_use() == 1
    del whole
    assert ends.in_use() == 0
