"""Runs inside runs, beside runs, after runs, and in programs that are busy with other things."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import resource
import sys
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import StringIO
from types import ModuleType

import pytest

from contract.gate import LIMIT
from minigun_py import Pipeline
from support.leaks import Snapshot


def test_a_run_in_a_worker_of_a_run(kind: str) -> None:
    def nested(number: int) -> list[int]:
        return sorted(squares("fork", number).collect())

    outer = Pipeline("outer", execution=kind)
    outer.source([3, 4])
    outer.processor(nested)
    assert sorted(outer.collect()) == [[0, 1, 4], [0, 1, 4, 9]]


def test_eight_runs_at_once(kind: str) -> None:
    filters = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(squares(kind, 2000).collect) for _ in range(8)]
        results = [sorted(run.result(LIMIT)) for run in runs]
    assert results == [[n * n for n in range(2000)]] * 8
    assert list(warnings.filters) == filters


def test_thirty_runs_leave_nothing_behind(kind: str) -> None:
    squares(kind, 10).collect()
    before = Snapshot.take()
    for _ in range(30):
        assert len(squares(kind, 10).collect()) == 10
    assert before.find_leaks() == []


def test_thirty_runs_that_are_left_early_leave_nothing_behind(kind: str) -> None:
    before = Snapshot.take()
    for _ in range(30):
        with squares(kind, None).stream() as stream:
            next(stream)
    assert before.find_leaks() == []


def test_a_program_with_busy_threads_can_run(kind: str) -> None:
    with busy_threads():
        for _ in range(10):
            assert len(squares(kind, 100).collect()) == 100


@pytest.mark.parametrize("stream", ["none", "closed"])
def test_a_program_without_stdout_can_run(
    kind: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", None if stream == "none" else closed)
    assert len(squares(kind, 10).collect()) == 10


def squares(kind: str, count: int | None) -> Pipeline:
    pipe = Pipeline("squares", execution=kind)
    pipe.source(itertools.count() if count is None else range(count))
    pipe.processor(lambda n: n * n, name="square", **({} if kind == "inline" else {"workers": 2}))
    return pipe


@contextmanager
def busy_threads() -> Iterator[None]:
    """Threads that take the locks which a fork may find held: of logging, files, imports."""
    stop = threading.Event()
    log = logging.Logger("busy")
    log.addHandler(logging.StreamHandler(StringIO()))

    def work(module: ModuleType) -> None:
        while not stop.is_set():
            log.warning("busy")
            sys.stdout.write("")
            sys.stdout.flush()
            importlib.reload(module)

    modules = map(importlib.import_module, ("colorsys", "netrc", "quopri", "stringprep"))
    threads = [threading.Thread(target=work, args=(module,)) for module in modules]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(LIMIT)


def test_a_program_with_thousands_of_open_files_can_run(kind: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    try:
        with ExitStack() as files:
            while files.enter_context(open(os.devnull, encoding="utf-8")).fileno() < 1100:
                pass
            assert len(squares(kind, 100).collect()) == 100
            assert squares(kind, 100).run().ok
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
