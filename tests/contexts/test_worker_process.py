"""A process that becomes a worker crashes with a word, and takes its share of the processors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from faults.session import Program, start
from minigun_py.contexts.cpus import usable_cpus
from minigun_py.contexts.worker_process import THREAD_VARIABLES

PREPARE = """
import faulthandler, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from minigun_py.contexts.worker_process import THREAD_VARIABLES, prepare_process
"""

STAND_IN = """
import types
limits = []
module = types.ModuleType("threadpoolctl")
module.threadpool_limits = limits.append
sys.modules["threadpoolctl"] = module
sys.modules["numpy"] = types.ModuleType("numpy")
"""
"""Stands for two libraries that are not installed everywhere."""


@pytest.fixture(autouse=True)
def _no_numbers_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*THREAD_VARIABLES, "PYTHONFAULTHANDLER"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def running(*parts: str) -> Iterator[Program]:
    """A process of its own: what is tested here cannot be taken back."""
    with start(PREPARE + "".join(parts)) as program:
        yield program


@pytest.mark.parametrize("workers", [1, 2, 1000])
def test_libraries_are_told_to_take_the_share_of_one_worker(workers: int) -> None:
    share = max(1, usable_cpus() // workers)
    script = f"""
prepare_process({workers})
say(*(os.environ[name] for name in THREAD_VARIABLES))
"""
    with running(script) as program:
        assert program.hear().split() == [str(share)] * len(THREAD_VARIABLES)


def test_numbers_that_the_user_has_set_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_NUM_THREADS", "")
    script = """
prepare_process(1000)
say(*(repr(os.environ[name]) for name in THREAD_VARIABLES))
"""
    with running(script) as program:
        assert dict(zip(THREAD_VARIABLES, program.hear().split(), strict=True)) == {
            **dict.fromkeys(THREAD_VARIABLES, "'1'"),
            "OMP_NUM_THREADS": "'7'",
            "MKL_NUM_THREADS": "''",
        }


def test_libraries_that_are_loaded_already_are_told_as_well() -> None:
    with running(STAND_IN, "prepare_process(1000)\nsay(limits)\n") as program:
        assert program.hear() == "[1]"


def test_they_are_left_alone_where_the_user_has_set_a_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    with running(STAND_IN, "prepare_process(1000)\nsay(limits)\n") as program:
        assert program.hear() == "[]"


def test_without_the_library_that_tells_them_they_stay_as_they_are() -> None:
    script = """
sys.modules["threadpoolctl"] = None  # it cannot be imported
prepare_process(1000)
say("on")
"""
    with running(STAND_IN, script) as program:
        assert program.hear() == "on"


def test_nothing_is_imported_that_the_program_has_not_loaded() -> None:
    script = """
prepare_process(1)
say(*({"numpy", "threadpoolctl"} & sys.modules.keys()))
"""
    with running(script) as program:
        assert program.hear() == ""


def test_a_crash_is_told_with_a_stack() -> None:
    script = """
def crash_here():
    os.kill(os.getpid(), signal.SIGSEGV)
os.dup2(1, 2)
prepare_process(1)
crash_here()
"""
    with running(script) as program:
        assert program.hear() == "Fatal Python error: Segmentation fault"
        lines = [program.hear() for _ in range(4)]
    assert any("in crash_here" in line for line in lines)


def test_a_program_that_tells_its_crashes_itself_goes_on_to() -> None:
    script = """
reader, writer = os.pipe()
faulthandler.enable(writer)
prepare_process(1)
if not os.fork():
    os.kill(os.getpid(), signal.SIGSEGV)
os.wait()
say(os.read(reader, 24).decode())
"""
    with running(script) as program:
        assert program.hear() == "Fatal Python error: Segm"


@pytest.mark.parametrize("broken", ["os.close(2)", "os.close(2); sys.stderr = None"])
def test_a_program_without_a_standard_error_may_have_workers_too(broken: str) -> None:
    with running(f"{broken}\nprepare_process(1)\nsay(faulthandler.is_enabled())\n") as program:
        assert program.hear() in ("True", "False")
        assert program.wait() == 0
