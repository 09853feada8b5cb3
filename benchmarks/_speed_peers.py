"""How each library is asked to apply a function to items, in its processes, threads or coroutines.

Every one is used as its documentation shows for a stream of items, with what bounds it where it
has that, and with the chunks that are named in the label of the case. All that can fork do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from typing import Any

__all__ = ["COROUTINE_MAPS", "PROCESS_MAPS", "THREAD_MAPS", "ours", "pool_imap", "spdl_region"]

BOUND = 1000  # of a queue, where one can be named

Function = Callable[[Any], Any]
Map = Callable[[Any, Function, Iterable[Any], int], Iterable[Any]]
"""What applies a function: the library, the function, the items, and the number of workers."""


def ours(
    library: Any, function: Function, items: Iterable[Any], workers: int, execution: str = "fork"
) -> Iterator[Any]:
    """One stage; nothing is tuned."""
    pipe = library.Pipeline("map")
    pipe.source(items)
    pipe.processor(function, name="work", execution=execution, workers=workers)
    with pipe.stream() as results:
        yield from results


def executor_map(
    library: Any, function: Function, items: Iterable[Any], workers: int, chunk: int = 1
) -> Iterator[Any]:
    """`map` of a pool of processes."""
    with library.ProcessPoolExecutor(workers) as executor:
        yield from executor.map(function, items, chunksize=chunk)


def pool_imap(
    library: Any, function: Function, items: Iterable[Any], workers: int, chunk: int = 1
) -> Iterator[Any]:
    """`imap` of a pool; `multiprocess` has the same."""
    with library.get_context("fork").Pool(workers) as pool:
        yield from pool.imap(function, items, chunk)


def mpire_imap(
    library: Any,
    function: Function,
    items: Iterable[Any],
    workers: int,
    chunk: int | None = None,
    start: str = "fork",
) -> Iterator[Any]:
    """`imap`; without a chunk size it makes 64 chunks of what has a length."""
    with library.WorkerPool(workers, start_method=start) as pool:
        yield from pool.imap(function, items, chunk_size=chunk)


def pypeln_process(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """A stage of processes."""
    yield from library.process.map(function, items, workers=workers, maxsize=BOUND)


def pyper_process(
    library: Any, function: Function, items: Iterable[Any], workers: int, throttle: int = 0
) -> Iterator[Any]:
    """A task of processes."""
    source = library.task(partial(iter, items), branch=True, throttle=throttle)
    work = library.task(function, workers=workers, multiprocess=True, throttle=throttle)
    yield from (source | work)()


def joblib_parallel(
    library: Any,
    function: Function,
    items: Iterable[Any],
    workers: int,
    backend: str = "loky",
    batch: int | str = "auto",
) -> Iterator[Any]:
    """`Parallel` as a generator."""
    parallel = library.Parallel(workers, backend=backend, return_as="generator", batch_size=batch)
    yield from parallel(library.delayed(function)(item) for item in items)


def spdl_region(
    library: Any, function: Function, items: Iterable[Any], workers: int, buffer: int = 1
) -> Iterator[Any]:
    """A stage in a region of processes, with so many items in a transfer."""
    pool = library.defs.ProcessPoolExecutorConfig(max_workers=workers, mp_context="fork")
    builder = library.PipelineBuilder().add_source(items).to(pool, buffer_size=buffer)
    builder = builder.pipe(function).to(library.defs.MAIN_PROCESS, buffer_size=buffer)
    yield from spdl_results(builder, workers)


def spdl_results(builder: Any, threads: int) -> Iterator[Any]:
    """What a pipeline gives."""
    pipeline = builder.add_sink(BOUND).build(num_threads=threads)
    with pipeline.auto_stop():
        yield from pipeline.get_iterator()


def spdl_threads(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """A stage in the threads of the pipeline; of a coroutine function in its event loop."""
    builder = library.PipelineBuilder().add_source(items).pipe(function, concurrency=workers)
    yield from spdl_results(builder, workers)


def thread_map(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """`map` of a pool of threads."""
    with library.ThreadPoolExecutor(workers) as executor:
        yield from executor.map(function, items)


def pypeln_thread(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """A stage of threads."""
    yield from library.thread.map(function, items, workers=workers, maxsize=BOUND)


def pyper_thread(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """A task of threads."""
    source = library.task(partial(iter, items), branch=True, throttle=BOUND)
    yield from (source | library.task(function, workers=workers, throttle=BOUND))()


def asyncio_workers(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> list[Any]:
    """Coroutines that share one iterator, as one would write it by hand."""

    async def work(shared: Iterator[Any], results: list[Any]) -> None:
        for item in shared:
            results.append(await function(item))  # noqa: PERF401 - they share the list

    async def run() -> list[Any]:
        shared = iter(items)
        results: list[Any] = []
        await library.gather(*(work(shared, results) for _ in range(workers)))
        return results

    return list(library.run(run()))


def aiostream_map(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> list[Any]:
    """`map` with a limit of tasks."""
    mapped = library.stream.map(
        library.stream.iterate(items), function, ordered=False, task_limit=workers
    )
    return all_of(mapped.stream())


def pyper_async(library: Any, function: Function, items: Iterable[Any], workers: int) -> list[Any]:
    """A task of coroutines."""
    source = library.task(partial(iter, items), branch=True, throttle=BOUND)
    return all_of((source | library.task(function, workers=workers))())


def all_of(stream: AsyncIterator[Any]) -> list[Any]:
    """All that an asynchronous iterator gives."""
    import asyncio

    async def drawn() -> list[Any]:
        return [item async for item in stream]

    return asyncio.run(drawn())


def pypeln_task(
    library: Any, function: Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """A stage of coroutines."""
    yield from library.task.map(function, items, workers=workers, maxsize=BOUND)


# One item at a time, since an item is worth a trip: what suits items that take long.
PROCESS_MAPS: dict[tuple[str, str], Map] = {
    ("multiprocessing", "Pool.imap"): pool_imap,
    ("concurrent.futures", "ProcessPoolExecutor.map"): executor_map,
    ("multiprocess", "Pool.imap"): pool_imap,
    ("mpire", "imap"): partial(mpire_imap, chunk=1),
    ("pypeln", "process.map"): pypeln_process,
    ("pyper", "multiprocess"): pyper_process,
    ("joblib", "loky"): partial(joblib_parallel, batch=1),
    ("spdl", "region of processes"): spdl_region,
}

THREAD_MAPS: dict[tuple[str, str], Map] = {
    ("concurrent.futures", "ThreadPoolExecutor.map"): thread_map,
    ("joblib", "threading"): partial(joblib_parallel, backend="threading", batch=1),
    ("mpire", "threading"): partial(mpire_imap, chunk=1, start="threading"),
    ("pypeln", "thread.map"): pypeln_thread,
    ("pyper", "threads"): pyper_thread,
    ("spdl", "threads"): spdl_threads,
}

COROUTINE_MAPS: dict[tuple[str, str], Map] = {
    ("asyncio", "coroutines over one iterator"): asyncio_workers,
    ("aiostream", "map"): aiostream_map,
    ("pyper", "coroutines"): pyper_async,
    ("pypeln", "task.map"): pypeln_task,
    ("spdl", "coroutines"): spdl_threads,
}
