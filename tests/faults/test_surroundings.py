"""Runs inside runs, beside runs, after runs, and in programs that are busy with other things."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import resource
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest

from contract.gate import LIMIT
from faults.deeds import run_inside, square
from faults.kinds import KINDS, AnyPipeline, has_several_workers, kinds_with, traits_for
from minigun_py import Pipeline, PipelineFailed
from minigun_py.errors import UsageError
from minigun_py.testing.leaks import Snapshot

RUNS = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "soak" else 30
"""Runs one after the other. Those that start interpreters or processes anew are slow to begin."""


INNER = ("inline", "thread", "fork", "process")
IN_AN_INTERPRETER = kinds_with("not inherits_code", "not survives_crash")
IN_A_PROCESS = [kind for kind in KINDS if kind not in IN_AN_INTERPRETER]


def runs_of(kind: str) -> int:
    return RUNS if traits_for(kind).inherits_code or RUNS > 100 else RUNS // 3


# --------------------------------------------------------------------------- runs and runs


@pytest.mark.parametrize("kind", IN_A_PROCESS)
@pytest.mark.parametrize("inner", INNER)
def test_a_run_in_a_worker_of_a_run(kind: str, inner: str) -> None:
    assert runs_inside(kind, inner).collect() == [[0, 1, 4, 9]]


if IN_AN_INTERPRETER:

    @pytest.mark.parametrize("kind", IN_AN_INTERPRETER)
    @pytest.mark.parametrize("inner", INNER)
    def test_a_run_in_an_interpreter_of_a_run_works_or_is_refused_in_words(
        kind: str, inner: str
    ) -> None:
        try:
            assert runs_inside(kind, inner).collect() == [[0, 1, 4, 9]]
        except PipelineFailed as failed:
            (error,) = failed.exceptions
            assert inner != "inline"
            assert isinstance(error, UsageError)
            assert f"{inner} cannot run here" in str(error)


def runs_inside(kind: str, inner: str) -> Pipeline:
    outer = AnyPipeline("outer", kind)
    outer.source([4])
    outer.processor(lambda number: run_inside(inner, number), name="nested")
    return outer


def test_eight_runs_at_once(kind: str) -> None:
    count = 16 if traits_for(kind).one_lease_each else 2000
    filters = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(squares(kind, count).collect) for _ in range(8)]
        results = [sorted(run.result(LIMIT)) for run in runs]
    assert results == [[n * n for n in range(count)]] * 8
    assert list(warnings.filters) == filters


@pytest.mark.parametrize(
    "kinds",
    [IN_A_PROCESS, [*kinds_with("shares_memory"), *kinds_with("not inherits_code")]],
    ids=["with forks", "with interpreters"],
)
def test_eight_runs_of_mixed_kinds_at_once_leave_nothing_behind(
    kinds: list[str], litter: Litter
) -> None:
    mixed = list(itertools.islice(itertools.cycle(kinds), 8))
    for kind in kinds:  # what is loaded once for good is no litter
        squares(kind, 10).collect()
    litter.begin()
    with ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(squares(kind, 40).collect) for kind in mixed]
        results = [sorted(run.result(LIMIT)) for run in runs]
    assert results == [[n * n for n in range(40)]] * 8
    assert litter.left() == []


def test_many_runs_one_after_the_other_leave_nothing_behind(kind: str, litter: Litter) -> None:
    squares(kind, 10).collect()
    litter.begin()
    for _ in range(runs_of(kind)):
        assert len(squares(kind, 10).collect()) == 10
    assert litter.left() == []


def test_many_runs_that_are_left_early_leave_nothing_behind(kind: str, litter: Litter) -> None:
    squares(kind, 10).collect()
    litter.begin()
    for _ in range(runs_of(kind)):
        with squares(kind, None).stream() as stream:
            next(stream)
    assert litter.left() == []


class Litter:
    """What runs leave in this process, in shared memory and among temporary files."""

    def __init__(self, temporary: Path) -> None:
        self._places = (temporary, Path("/dev/shm"))

    def begin(self) -> None:
        """Note what is there."""
        self._before, self._files = Snapshot.take(), self._all_files()

    def left(self) -> list[str]:
        """What is there now and was not then."""
        leaks = self._before.find_leaks()
        return [*leaks, *map(str, sorted(self._all_files() - self._files))]

    def _all_files(self) -> set[Path]:
        return {path for place in self._places for path in place.iterdir()}


@pytest.fixture
def litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Litter:
    """With a directory of our own for temporary files, also of processes that are started."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Litter(tmp_path)


# --------------------------------------------------------------------------- busy programs


def test_a_program_with_busy_threads_can_run(kind: str) -> None:
    count = 2 if traits_for(kind).one_lease_each else 100
    with busy_threads():
        for _ in range(10 if traits_for(kind).inherits_code else 2):
            assert len(squares(kind, count).collect()) == count


HALF_IMPORTED = """
import builtins, os
gate = getattr(builtins, "gate", None)
if gate is not None and os.getpid() == gate.parent:
    gate.reached.set()
    gate.open.wait()
ANSWER = 42
"""


class Gate:
    """Where an import waits, in the process that made it."""

    def __init__(self) -> None:
        self.parent = os.getpid()
        self.reached, self.open = threading.Event(), threading.Event()


@pytest.mark.parametrize("kind", [k for k in IN_A_PROCESS if not traits_for(k).runs_coroutines])
def test_a_worker_can_import_what_another_thread_was_importing(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half_imported.py").write_text(HALF_IMPORTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("builtins.gate", gate := Gate(), raising=False)
    if traits_for(kind).shares_memory:  # it is the same import there, which has to end
        gate.open.set()
    elsewhere = threading.Thread(target=importlib.import_module, args=("half_imported",))
    elsewhere.start()
    try:
        assert gate.reached.wait(LIMIT)
        pipe = Pipeline("imports")
        pipe.source(range(3))
        pipe.processor(half_imported_answer, execution=kind)
        assert pipe.collect() == [42, 42, 42]
    finally:
        gate.open.set()
        elsewhere.join()
        sys.modules.pop("half_imported", None)


def half_imported_answer(_: int) -> object:
    return importlib.import_module("half_imported").ANSWER


@pytest.mark.parametrize("stream", ["none", "closed"])
def test_a_program_without_stdout_can_run(
    kind: str, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", None if stream == "none" else closed)
    assert len(squares(kind, 10).collect()) == 10


def squares(kind: str, count: int | None) -> Pipeline:
    pipe = AnyPipeline("squares", kind)
    pipe.source(itertools.count() if count is None else range(count))
    pipe.processor(square, **({"workers": 2} if has_several_workers(kind) else {}))
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
            assert len(squares(kind, 20).collect()) == 20
            assert squares(kind, 20).run().ok
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
