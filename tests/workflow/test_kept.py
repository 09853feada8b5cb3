"""Results that are kept are taken again while code and arguments are the same, and else it is said
why not."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from minigun_py import CheckpointError, Workflow
from minigun_py.events import Event, StepCompleted, StepStarted
from minigun_py.workflow.fingerprint import code_print, value_print
from minigun_py.workflow.result_store import ResultStore

RAN: list[Any] = []
"""What has run. No variable of a function, for what these have in them counts as code."""
BROKEN: list[bool] = []


@pytest.fixture(autouse=True)
def nothing_has_run() -> None:
    RAN.clear()
    BROKEN.clear()


def squares(path: Path, factor: int = 1) -> Workflow:
    """One step that keeps its result; another that does not."""
    wf = Workflow("squares", cache=path)

    @wf.step(cache=True)
    def square(number: int) -> int:
        RAN.append(number)
        return number * number * factor

    wf.step(lambda square: square + 1, name="more")
    return wf


def test_a_kept_result_is_taken_while_the_arguments_are_the_same(tmp_path: Path) -> None:
    wf = squares(tmp_path / "cache.db")
    for number in (3, 3, 4, 3):
        results = wf.run(inputs={"number": number})
        assert results["more"].value == number * number + 1
        assert results["more"].kept is False
    assert RAN == [3, 4]
    assert results["square"].kept
    assert results["square"].attempts == 0


def test_a_miss_is_explained(tmp_path: Path) -> None:
    why: list[str | None] = []
    for factor, number in [(1, 3), (1, 4), (2, 4), (2, 4)]:
        wf = squares(tmp_path / "cache.db", factor)
        why.append(wf.run(inputs={"number": number})["square"].why_run)
    assert why == [
        "no result of it was kept",
        "what it gets has changed: 'number'",
        "its code has changed",
        None,
    ]


def test_what_cannot_be_told_again_runs_each_time(tmp_path: Path) -> None:
    wf = Workflow("wf", cache=tmp_path / "cache.db")
    wf.step(lambda lock: lock.locked(), name="looks", cache=True)
    for _ in range(2):
        result = wf.run(inputs={"lock": threading.Lock()})["looks"]
        assert result.value is False
        assert "what it gets as 'lock' cannot be pickled" in str(result.why_run)


def test_what_cannot_be_kept_is_told_of(tmp_path: Path) -> None:
    wf = Workflow("wf", cache=tmp_path / "cache.db")
    wf.step(lambda: threading.Lock(), name="lock", cache=True)
    with pytest.warns(RuntimeWarning, match="the result of step 'lock' cannot be kept"):
        assert wf.run()["lock"].ok


def test_a_kept_value_that_cannot_be_read_is_made_again(tmp_path: Path) -> None:
    wf = squares(tmp_path / "cache.db")
    wf.run(inputs={"number": 3})
    connection = sqlite3.connect(tmp_path / "cache.db")
    with connection:
        connection.execute("UPDATE results SET value = x'00'")
    connection.close()
    result = wf.run(inputs={"number": 3})["square"]
    assert (result.value, RAN) == (9, [3, 3])
    assert "the value that was kept cannot be read" in str(result.why_run)


@pytest.mark.parametrize("method", ["find", "newest"])
def test_a_file_that_fails_in_the_middle_costs_no_more_than_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def fails(*_: object) -> None:
        raise CheckpointError("the disk is gone")

    wf = squares(tmp_path / "cache.db")
    monkeypatch.setattr(ResultStore, method, fails)
    results = wf.run(inputs={"number": 3})
    assert results["more"].value == 10
    assert results["square"].why_run == "the disk is gone"


def test_of_a_mapped_step_each_instance_is_kept(tmp_path: Path) -> None:
    wf = Workflow("wf", cache=tmp_path / "cache.db")

    @wf.step(cache=True, each={"row": "rows"})
    def double(row: int) -> int:
        RAN.append(row)
        return 2 * row

    assert wf.run(inputs={"rows": [1, 2]})["double"].value == [2, 4]
    result = wf.run(inputs={"rows": [2, 3, 1]})["double"]
    assert result.value == [4, 6, 2]
    assert sorted(RAN) == [1, 2, 3]
    assert [part.kept for part in result.instances] == [True, False, True]


def test_nobody_else_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cache.db"
    squares(path).run(inputs={"number": 3})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_without_a_path_the_cache_is_in_the_users_own_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    wf = Workflow("mine")
    wf.step(lambda: 1, name="one", cache=True)
    wf.run()
    assert [p.relative_to(tmp_path) for p in tmp_path.rglob("*.db")] == [Path("minigun_py/mine.db")]


def test_workflows_may_share_a_file(tmp_path: Path) -> None:
    for number in (1, 2):
        wf = Workflow(f"wf{number}", cache=tmp_path / "cache.db")
        wf.step(lambda: number, name="one", cache=True)  # noqa: B023 - called at once
        assert wf.run()["one"].kept is False


@pytest.mark.parametrize("content", [b"something else", b""], ids=["other", "empty"])
@pytest.mark.parametrize("option", ["cache", "checkpoint"])
def test_a_file_that_is_something_else_is_left_as_it_is(
    tmp_path: Path, content: bytes, option: str
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    wf = Workflow("wf", cache=path)
    wf.step(lambda: 1, name="one", cache=option == "cache")
    run: Callable[[], Any] = wf.run
    if option == "checkpoint":
        run = lambda: wf.run(checkpoint=path)  # noqa: E731 - shorter
    if content:
        with pytest.raises(CheckpointError, match=r"notes\.txt"):
            run()
        assert path.read_bytes() == content
    else:
        assert run().ok


def test_a_file_of_another_application_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE mine (a)")
    connection.close()
    with pytest.raises(CheckpointError, match="is no file of the results of a workflow"):
        Workflow("wf").run(checkpoint=path)


def test_a_run_is_resumed_where_it_failed(tmp_path: Path) -> None:
    BROKEN.append(True)
    wf = Workflow("wf")

    @wf.step
    def download() -> str:
        RAN.append("download")
        return "data"

    @wf.step
    def parse(download: str) -> str:
        RAN.append("parse")
        if BROKEN:
            raise ValueError(download)
        return download.upper()

    told: list[Event] = []
    assert not wf.run(checkpoint=tmp_path / "wf.db").ok
    BROKEN.clear()
    results = wf.run(checkpoint=str(tmp_path / "wf.db"), progress=told.append)
    assert results["parse"].value == "DATA"
    assert RAN == ["download", "parse", "parse"]
    assert [type(event) for event in told] == [StepCompleted, StepStarted, StepCompleted]
    assert [e.kept for e in told if isinstance(e, StepCompleted)] == [True, False]
    assert Workflow("wf").run(checkpoint=tmp_path / "wf.db").ok


def test_a_run_is_resumed_after_its_process_was_killed(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import os
        from minigun_py import Workflow

        wf = Workflow("wf")

        @wf.step
        def pages():
            print("pages", flush=True)
            return [1, 2, 3, 4]

        @wf.step(each={"page": "pages"}, execution="thread")
        def fetch(page):
            print("fetch", page, flush=True)
            if page == 3 and not os.path.exists("second"):
                os.kill(os.getpid(), 9)
            return page * 10

        results = wf.run(checkpoint="wf.db", max_cpu=1)
        print(results["fetch"].value)
        """
    )
    script = tmp_path / "program.py"
    script.write_text(program)

    def run() -> str:
        environment = {**os.environ, "PYTHONPATH": os.getcwd()}
        return subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        ).stdout

    assert run().split("\n") == ["pages", "fetch 1", "fetch 2", "fetch 3", ""]
    (tmp_path / "second").touch()
    assert run().split("\n") == ["fetch 3", "fetch 4", "[10, 20, 30, 40]", ""]


# ----------------------------------------------------------------- by what calls are known again


def made(source: str, **names: Any) -> FunctionType:
    exec(textwrap.dedent(source), {"__name__": "made", **names}, names)
    return names["f"]  # type: ignore[no-any-return]


def test_code_that_is_the_same_has_the_same_print() -> None:
    source = "def f(a, b=1): return {a: [n for n in range(b) if n in {1, 2, 3}]}"
    assert code_print(made(source)) == code_print(made("\n\n" + source))


@pytest.mark.parametrize(
    "source",
    [
        "def f(a): return a + 2",
        "def f(a, b=1): return a + 1",
        "def f(a, *, b=1): return a + 1",
        "def f(a): return a - 1",
        "def f(a): return g(a)",
        "f = partial(lambda a, b: a + b, 1)",
    ],
)
def test_other_code_has_another(source: str) -> None:
    from functools import partial

    assert code_print(made(source, partial=partial)) != code_print(made("def f(a): return a + 1"))


def test_what_a_function_closes_over_and_what_it_calls_counts() -> None:
    def closing(value: Any) -> Callable[[], Any]:
        return lambda: value

    assert code_print(closing(1)) == code_print(closing(1))
    assert code_print(closing(1)) != code_print(closing(2))
    inner = "def g(a): return a + {}\ndef f(a): return g(a)"
    one, two = (made_together(inner.format(n)) for n in (1, 2))
    assert code_print(one) != code_print(two)
    assert code_print(closing(one)) != code_print(closing(two))


def made_together(source: str) -> FunctionType:
    names: dict[str, Any] = {"__name__": "made"}
    exec(source, names)
    return names["f"]  # type: ignore[no-any-return]


def test_a_function_that_calls_itself_and_what_has_no_code_have_prints() -> None:
    assert code_print(made_together("def f(a): return f(a - 1)"))
    assert code_print(len) != code_print(sorted)
    assert value_print([1, 2]) == value_print([1, 2])
    assert value_print(threading.Lock()) is None

    def not_yet() -> Any:
        return later()

    text = code_print(not_yet)
    later = len
    assert code_print(not_yet) != text
