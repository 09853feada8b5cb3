"""Nanoseconds of the parts that everything else is made of, beside the standard library.

A kernel runs a chunk through a stage; a channel carries items between two threads; a frame
carries a chunk to a worker and back; a cancel token is looked at. Each is run several times, and
the best time is printed, divided by the number of items.

Use::

    python benchmarks/micro.py [--repeat 5] [--quick]
"""

from __future__ import annotations

import argparse
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from queue import Queue, SimpleQueue
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import _speed_work as work
from minigun_py import CancelToken, Pipeline
from minigun_py.contexts.frame import FrameKind, encode
from minigun_py.contexts.wire import FrameReader, write_frame
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.primitives.channel import Receiver, Sender, open_channel

CHUNK = 1000
CHUNKS = 100
END = object()
MEBIBYTE = 1 << 20

Way = Callable[[int], int]
"""Does something about so many chunks, and says how many items that were."""


def main() -> None:
    """Measure everything, and print a line for each."""
    options = arguments()
    repeat, chunks = (1, 2) if options.quick else (options.repeat, CHUNKS)
    for group, ways in groups().items():
        print(group)
        for name, way in ways.items():
            best = min(nanoseconds(way, chunks) for _ in range(repeat))
            print(f"  {name:44} {best:12,.1f} ns")


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="the parts of minigun_py, one by one")
    parser.add_argument("--repeat", type=int, default=5, help="times, of which the best counts (5)")
    parser.add_argument("--quick", action="store_true", help="once, and little")
    return parser.parse_args()


def nanoseconds(way: Way, chunks: int) -> float:
    """What an item took."""
    began = time.perf_counter_ns()
    items = way(chunks)
    return (time.perf_counter_ns() - began) / items


def groups() -> dict[str, dict[str, Way]]:
    """What is measured, by headings."""
    return {
        "a stage, for each item": {
            "a loop that calls the function": called,
            "that returns a value": kernel(work.plus),
            "that yields": kernel(work.yield_plus),
            "that takes `output`": kernel(work.put_plus),
        },
        "from one thread to another, for each item": {
            "queue.Queue(1000)": partial(queued, lambda: Queue(CHUNK)),
            "queue.SimpleQueue, unbounded": partial(queued, SimpleQueue),
            "channel of 1000, one by one": hop_by_one,
            "channel of 1000, in chunks": hop_in_chunks,
        },
        "to bytes and back, for each item": dict(crossings()),
        "a look at a cancel token": {
            "a token": partial(looked_at, CancelToken()),
            "its child with a deadline": partial(looked_at, CancelToken().child(timeout=3600)),
            "threading.Event.is_set": set_or_not,
        },
    }


def called(chunks: int) -> int:
    """What the function itself takes."""
    items = range(CHUNK)
    for _ in range(chunks):
        for item in items:
            work.plus(item)
    return chunks * CHUNK


def kernel(function: Any) -> Way:
    """The kernel of a pipeline of one stage, chunk by chunk, with its counts."""
    pipe = Pipeline("kernel")
    pipe.source(())
    pipe.processor(function, name="stage", execution="thread")
    [segment] = [segment for segment in pipe.plan().segments if not segment.is_source]
    worker = SegmentKernel(segment, [0]).bind()
    worker.open()
    items = [*range(CHUNK)]

    def run(chunks: int) -> int:
        for _ in range(chunks):
            worker.run(items)
            [outputs] = worker.harvest(CHUNK).outputs
            assert len(outputs) == CHUNK
        return chunks * CHUNK

    return run


def queued(make: Callable[[], Any], chunks: int) -> int:
    """One thread puts, the other gets."""
    room = make()

    def put() -> None:
        for item in range(chunks * CHUNK):
            room.put(item)
        room.put(END)

    return taken(put, iter(room.get, END))


def channel() -> tuple[Sender[int], Receiver[int]]:
    """Of as many items as a chunk has."""
    return open_channel(CHUNK)


def hop_by_one(chunks: int) -> int:
    """The same by a channel."""
    sender, receiver = channel()

    def put() -> None:
        with sender:
            for item in range(chunks * CHUNK):
                sender.send(item)

    with receiver:
        return taken(put, receiver)


def hop_in_chunks(chunks: int) -> int:
    """Many at a time."""
    sender, receiver = channel()
    items = [*range(CHUNK)]

    def put() -> None:
        with sender:
            for _ in range(chunks):
                sender.send_many(items)

    def get() -> Iterator[int]:
        got = 0
        while got < chunks * CHUNK:
            some = receiver.receive_many(CHUNK)
            got += len(some)
            yield from some

    with receiver:
        return taken(put, get())


def taken(put: Callable[[], None], items: Any) -> int:
    """Take everything while a thread puts it."""
    thread = threading.Thread(target=put)
    thread.start()
    count = sum(1 for _ in items)
    thread.join()
    return count


def crossings() -> Iterator[tuple[str, Way]]:
    """Contents of different sizes, as pickles and as frames."""
    for count in (1, 100, 1000):
        content = [*range(count)]
        yield f"pickle, {count} ints", partial(pickled, content, count)
        yield f"frame through a socket, {count} ints", partial(framed, content, count)
    block = bytearray(MEBIBYTE)
    yield "pickle, a buffer of 1 MiB", partial(pickled, block, 1)
    buffer = pickle.PickleBuffer(block)
    yield "frame without a socket, a buffer of 1 MiB", partial(encoded, buffer)


def pickled(content: Any, count: int, chunks: int) -> int:
    """`pickle.dumps` and `pickle.loads`."""
    for _ in range(chunks):
        pickle.loads(pickle.dumps(content, protocol=5))
    return chunks * count


def framed(content: Any, count: int, chunks: int) -> int:
    """A frame into one end of a socket pair, and out of the other."""
    here, there = socket.socketpair()
    with here, there:
        reader = FrameReader(there)
        for token in range(chunks):
            write_frame(here, encode(FrameKind.RUN, token, content))
            frame = reader.next()
            assert frame is not None
            frame.load()
    return chunks * count


def encoded(content: Any, chunks: int) -> int:
    """The parts of a frame, which holds a large buffer without a copy."""
    for token in range(chunks):
        encode(FrameKind.RUN, token, content)
    return chunks


def looked_at(token: CancelToken, chunks: int) -> int:
    """What a stage does that wants to know whether to go on."""
    for _ in range(chunks * CHUNK):
        token.raise_if_cancelled()
    return chunks * CHUNK


def set_or_not(chunks: int) -> int:
    """The flag of the standard library."""
    event = threading.Event()
    for _ in range(chunks * CHUNK):
        event.is_set()
    return chunks * CHUNK


if __name__ == "__main__":
    main()
