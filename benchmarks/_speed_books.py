"""What it costs to account for every item: a pipeline beside bare loops over the same kernels.

The bare loops compile the same kernel from the same plan, and move chunks by the same channel or
the same frames. They count nothing, recover from nothing and end only if all goes well.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks import _speed_work as work
from benchmarks._speed_goals import no_dearer
from benchmarks._speed_inline import right
from benchmarks._speed_model import OURS, Job, Workload

__all__ = ["BOOKS"]

CHUNK = 1000  # no more than a queue holds travels together
AHEAD = 2  # frames that are on their way


def opened(library: Any, execution: str) -> Any:
    """A worker with the kernel of a pipeline of one stage."""
    from minigun_py.engine.kernel import SegmentKernel

    pipe = library.Pipeline("bare")
    pipe.source(())
    pipe.processor(work.all_three, name="work", execution=execution)
    [segment] = [segment for segment in pipe.plan().segments if not segment.is_source]
    worker = SegmentKernel(segment, [0]).bind()
    worker.open()
    return worker


def ran(worker: Any, items: list[int]) -> list[int]:
    """What comes of a chunk."""
    worker.run(items)
    [outputs] = worker.harvest(len(items)).outputs
    return list(outputs)


def bare_thread(library: Any, job: Job) -> int:
    """A thread that draws, one that runs, and channels before and behind it."""
    from minigun_py.errors import EndOfChannel
    from minigun_py.primitives.channel import Receiver, Sender, open_channel

    worker = opened(library, "thread")
    first: tuple[Sender[int], Receiver[int]] = open_channel(CHUNK)
    second: tuple[Sender[int], Receiver[int]] = open_channel(CHUNK)
    (put_items, get_items), (put_results, get_results) = first, second

    def draw() -> None:
        with put_items:
            for chunk in work.in_batches(range(job.items), CHUNK):
                put_items.send_many(chunk)

    def run() -> None:
        with get_items, put_results:
            for items in chunks(get_items):
                put_results.send_many(ran(worker, items))

    def chunks(receiver: Any) -> Iterator[list[int]]:
        while True:
            try:
                yield receiver.receive_many(CHUNK)
            except EndOfChannel:
                return

    threads = [threading.Thread(target=draw), threading.Thread(target=run)]
    for thread in threads:
        thread.start()
    with get_results:
        total = sum(sum(results) for results in chunks(get_results))
    for thread in threads:
        thread.join()
    return total


def bare_fork(library: Any, job: Job) -> int:
    """A forked child that answers frame by frame, with two of them on their way."""
    from minigun_py.contexts import frame as frames
    from minigun_py.contexts import wire

    worker = opened(library, "fork")
    here, there = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        here.close()
        requests = wire.FrameReader(there)
        while (frame := requests.next()) is not None:
            results = ran(worker, frame.load())
            wire.write_frame(there, frames.encode(frames.FrameKind.DONE, frame.token, results))
        os._exit(0)
    there.close()
    total = waiting = 0
    with here:
        answers = wire.FrameReader(here)
        for number, chunk in enumerate(work.in_batches(range(job.items), CHUNK)):
            if waiting == AHEAD:
                total += sum(answered(answers))
                waiting -= 1
            wire.write_frame(here, frames.encode(frames.FrameKind.RUN, number, chunk))
            waiting += 1
        total += sum(sum(answered(answers)) for _ in range(waiting))
    os.waitpid(pid, 0)
    return total


def answered(answers: Any) -> list[int]:
    """The results of the next frame."""
    frame = answers.next()
    assert frame is not None
    results: list[int] = frame.load()
    return results


def with_books(library: Any, job: Job, execution: str) -> int:
    """The pipeline."""
    return sum(peers.ours(library, work.all_three, range(job.items), 1, execution))


def workload(kind: str, bare: Any) -> Workload:
    """The same for threads and forks."""
    loop, pipeline = f"bare loop, {kind}", f"pipeline, {kind}"
    goal = no_dearer(f"{OURS}, {pipeline}", f"{OURS}, {loop}", 1.10, "beside a bare loop")
    it = Workload(
        f"books, {kind}",
        f"the same kernel for the same chunks, with and without books, {kind}",
        1_000_000,
        right,
        goals=(goal,),
    )
    it.add(OURS, loop, bare)
    it.add(OURS, pipeline, partial(with_books, execution=kind))
    return it


BOOKS = (workload("thread", bare_thread), workload("fork", bare_fork))
