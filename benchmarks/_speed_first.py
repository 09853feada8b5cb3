"""A program that imports one library and does a job of one item; it prints the seconds of that.

It imports hardly anything else, since what a library would have to import late, somebody else's
import would give it for nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from benchmarks import _speed_peers as peers
from benchmarks._speed_work import plus

__all__ = ["WAYS"]


def in_a_thread(
    library: Any, function: peers.Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """The items as futures of threads."""
    with library.ThreadPoolExecutor(workers) as executor:
        for item in items:
            yield executor.submit(function, item).result()


def in_a_process(
    library: Any, function: peers.Function, items: Iterable[Any], workers: int
) -> Iterator[Any]:
    """The items as futures of processes."""
    from multiprocessing import get_context

    with library.ProcessPoolExecutor(workers, mp_context=get_context("fork")) as executor:
        for item in items:
            yield executor.submit(function, item).result()


def by_two(
    library: Any, function: peers.Function, items: Iterable[Any], workers: int, backend: str
) -> Iterator[Any]:
    """Two workers, since a single one would be the caller."""
    yield from peers.joblib_parallel(library, function, items, 2, backend, batch=1)


# By what is imported before the clock is started; of us a second time, as most programs do it.
WAYS: dict[str, dict[str, peers.Map]] = {
    "thread": {
        "concurrent.futures": in_a_thread,
        "minigun_py": partial(peers.ours, execution="thread"),
        "minigun_py.pipeline": partial(peers.ours, execution="thread"),
        "mpire": partial(peers.mpire_imap, chunk=1, start="threading"),
        "pypeln": peers.pypeln_thread,
        "joblib": partial(by_two, backend="threading"),
    },
    "fork": {
        "concurrent.futures": in_a_process,
        "minigun_py": peers.ours,
        "minigun_py.pipeline": peers.ours,
        "multiprocessing": peers.pool_imap,
        "mpire": partial(peers.mpire_imap, chunk=1),
        "pypeln": peers.pypeln_process,
        "joblib": partial(by_two, backend="loky"),
    },
}


def main(kind: str, name: str) -> None:
    """Until the result is there; the end of the workers is not waited for by the clock."""
    library = import_module(name)
    if "multiprocessing" in sys.modules:
        sys.modules["multiprocessing"].set_start_method("fork")
    began = time.perf_counter()
    results = iter(WAYS[kind][name](library, plus, [1], 1))
    assert next(results) == 2
    print(time.perf_counter() - began)
    assert not [*results]


if __name__ == "__main__":
    main(*sys.argv[1:])
