"""How each library is asked to run a case: two workers, and as much kept of a failure as it can.

Each is used the way that loses least. Where a library gives a future for every item, or an
iterator that goes on after an error, the errors are taken one by one, as `Failed`; an exception
that comes out of the loop itself ends the case. A library's own limit for an item is used where it
has one, and what it offers to keep a source bounded. Everything else is left as it comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, as_completed
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks._fault_cases import Case

__all__ = ["LIBRARIES", "Failed", "Library"]

WORKERS = 2
BOUND = 8  # of a queue, where one has to be named


@dataclass(frozen=True)
class Failed:
    """An item that failed while the others went on."""

    error: BaseException


@dataclass(frozen=True)
class Library:
    """A column of the table: what to import, what to install for it, and how to use it."""

    module: str
    distribution: str | None  # None: it comes with Python
    run: Callable[[Any, Case], Iterator[object]]


def minigun(library: Any, case: Case) -> Iterator[object]:
    """A stage of forked workers that skips what fails; the report has the failures."""
    pipe = library.Pipeline("faults")
    pipe.source(case.source(), name="source")
    options = {"setup": case.setup, "timeout": case.timeout}
    given = {name: value for name, value in options.items() if value is not None}

    @pipe.processor(execution="fork", workers=WORKERS, on_error="skip", **given)
    def work(item: object) -> object:
        return case.work(item)

    with pipe.stream() as results:
        yield from results
    for failed in results.report.failures:
        yield Failed(failed.error)


def futures(library: Any, case: Case) -> Iterator[object]:
    """A future for every item; `map` would end at the first error."""
    executor = library.ProcessPoolExecutor(WORKERS, initializer=case.setup)
    try:
        yield from settled([executor.submit(case.work, item) for item in case.source()])
    finally:
        executor.shutdown(cancel_futures=True)


def pool(library: Any, case: Case) -> Iterator[object]:
    """`imap_unordered`, which can be asked for more after an error."""
    with library.Pool(WORKERS, initializer=case.setup) as workers:
        yield from one_by_one(workers.imap_unordered(case.work, case.source()))


def mpire(library: Any, case: Case) -> Iterator[object]:
    """`imap_unordered`, which bounds what it draws."""
    with library.WorkerPool(n_jobs=WORKERS) as workers:
        yield from workers.imap_unordered(
            case.work,
            case.source(),
            chunk_size=1,
            worker_init=case.setup,
            task_timeout=case.timeout,
        )


def pypeln(library: Any, case: Case) -> Iterator[object]:
    """A stage of processes; its queues are bounded only where that is what is tried.

    With bounded queues it would hang wherever a function raises.
    """
    yield from library.map(
        case.work,
        case.source(),
        workers=WORKERS,
        maxsize=BOUND if case.is_endless else 0,
        timeout=case.timeout or 0,
        on_start=case.setup,
    )


def pebble(library: Any, case: Case) -> Iterator[object]:
    """A future for every item; the iterator of `map` would let `sys.exit` through."""
    workers = library.ProcessPool(max_workers=WORKERS, initializer=case.setup)
    try:
        yield from settled(
            [workers.schedule(case.work, [item], timeout=case.timeout) for item in case.source()]
        )
    finally:
        workers.stop()
        workers.join()


def joblib(library: Any, case: Case) -> Iterator[object]:
    """`Parallel` as a generator, with the processes it has by default."""
    given = {} if case.setup is None else {"initializer": case.setup}
    parallel = library.Parallel(
        n_jobs=WORKERS,
        return_as="generator_unordered",
        batch_size=1,
        timeout=case.timeout,
        **given,
    )
    with closing(parallel(library.delayed(case.work)(item) for item in case.source())) as results:
        yield from results


def settled(submitted: list[Future[object]]) -> Iterator[object]:
    """The outcomes of futures, as they come."""
    for future in as_completed(submitted):
        error = future.exception()
        yield future.result() if error is None else Failed(error)


def one_by_one(results: Any) -> Iterator[object]:
    """What an iterator gives that goes on after an error."""
    step: Callable[[], object] = partial(next, results)
    while True:
        try:
            outcome = step()
        except StopIteration:
            return
        except Exception as error:
            outcome = Failed(error)
        yield outcome


LIBRARIES = {
    "minigun_py": Library("minigun_py", "minigun-py", minigun),
    "concurrent.futures": Library("concurrent.futures", None, futures),
    "multiprocessing.Pool": Library("multiprocessing", None, pool),
    "mpire": Library("mpire", "mpire", mpire),
    "pypeln": Library("pypeln.process", "pypeln", pypeln),
    "pebble": Library("pebble", "pebble", pebble),
    "joblib": Library("joblib", "joblib", joblib),
}
