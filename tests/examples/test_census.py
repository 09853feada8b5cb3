"""The census counts right, the same in every kind of context, and survives a killed worker."""

from __future__ import annotations

import importlib.util
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from minigun_py import Pipeline, UsageError, WorkerDied
from minigun_py.contexts.registry import obstacle_to
from minigun_py.placement import ContextKind

KINDS = [k for k in ContextKind if k is not ContextKind.ASYNC and obstacle_to(k) is None]

EXAMPLE = Path(__file__).parents[2] / "examples" / "census.py"

SHAPES = """\
import os, sys
import os.path
from collections.abc import Iterator
from . import sibling

class Shape:
    def area(self, exact):
        if exact and self.sides > 3 or self.flat:
            return [side for side in self.sides if side]
        return 0 if exact else 1

async def walk(shapes):
    async for shape in shapes:
        def inner():
            while True:
                pass
        try:
            inner()
        except ValueError:
            match shape:
                case 1:
                    pass
                case _:
                    pass
"""

TREE = {
    "empty.py": b"",
    "shapes.py": SHAPES.encode(),
    "package/lonely.py": b"import os\nprint(os.name)",
    "package/odd.py": b"pattern = '\\d'\n",  # the parser warns of it
    "broken.py": b"def broken(:\n    pass\n",
    "nulls.py": b"x = 1\0\n",
    "latin.py": b"name = '\xe9'\n",
    "notes.txt": b"not Python",
    "package/__pycache__/cached.py": b"x = 1\n",
}

FILES = {  # lines, classes, functions; the last three do not parse
    "empty.py": (0, 0, 0),
    "shapes.py": (24, 1, 3),
    "package/lonely.py": (2, 0, 0),
    "package/odd.py": (1, 0, 0),
    "broken.py": (2, 0, 0),
    "nulls.py": (1, 0, 0),
    "latin.py": (1, 0, 0),
}

FUNCTIONS = {  # line, lines, complexity
    "Shape.area": (7, 4, 1 + 1 + 2 + 2 + 1),  # if; or, and; for, if; conditional
    "walk": (12, 13, 1 + 1 + 1 + 2),  # for; except; two cases
    "walk.inner": (14, 3, 1 + 1),  # while
}

IMPORTS = {
    ("shapes.py", "collections"): 1,
    ("shapes.py", "os"): 2,
    ("shapes.py", "sys"): 1,
    ("package/lonely.py", "os"): 1,
}

Figures = tuple[list[tuple[object, ...]], ...]


@pytest.fixture
def census() -> Iterator[ModuleType]:
    """The example as a module; workers find its classes under this name."""
    spec = importlib.util.spec_from_file_location("census", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["census"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["census"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree of known content."""
    root = tmp_path / "tree"
    for name, content in TREE.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


def answer(database: Path, question: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(question).fetchall()


def figures(database: Path) -> Figures:
    """Everything that is in the database."""
    tables = ("files", "functions", "imports")
    return tuple(sorted(answer(database, f"SELECT * FROM {t}"), key=repr) for t in tables)


def figures_of_run(census: ModuleType, tree: Path, execution: str) -> Figures:
    database = tree.parent / f"{execution}.db"
    pipe = census.census(tree, database=database)
    if execution == "inline":
        report = pipe.run(execution="inline")
    else:
        report = pipe.run(stages={"parse": {"execution": execution}})
    assert report.ok
    assert report["parse"].completed == len(FILES)
    return figures(database)


def figures_of_coroutines(census: ModuleType, tree: Path) -> Figures:
    """The same stages, where the one that measures is a coroutine function."""
    database = tree.parent / "coroutines.db"
    census.create_tables(database)
    census.silence_the_parser()
    pipe = Pipeline("census")
    pipe.source(census.python_files([tree]))

    @pipe.processor(workers=3)
    async def parse(path: Path) -> Any:
        return census.measure(path)

    pipe.batch(4)
    pipe.consumer(lambda rows: census.insert(database, rows), name="store")
    assert pipe.run()["parse"].completed == len(FILES)
    return figures(database)


def figures_by_hand(census: ModuleType, tree: Path) -> Figures:
    """A loop that somebody would write without the library."""
    database = tree.parent / "hand.db"
    census.create_tables(database)
    census.silence_the_parser()
    for path in census.python_files([tree]):
        census.insert(database, [census.measure(path)])
    return figures(database)


@pytest.mark.parametrize("execution", KINDS)
def test_every_kind_of_context_counts_the_same(
    census: ModuleType, tree: Path, execution: str
) -> None:
    assert figures_of_run(census, tree, execution) == figures_by_hand(census, tree)


def test_coroutines_count_the_same(census: ModuleType, tree: Path) -> None:
    assert figures_of_coroutines(census, tree) == figures_by_hand(census, tree)


@pytest.mark.parametrize("execution", KINDS)
def test_all_stages_may_run_in_the_same_kind(
    census: ModuleType, tree: Path, execution: str
) -> None:
    database = tree.parent / "census.db"
    census.census(tree, database=database).run(execution=execution)
    assert figures(database) == figures_by_hand(census, tree)


def test_files_are_counted_right(census: ModuleType, tree: Path) -> None:
    files, functions, imports = figures_by_hand(census, tree)
    prefix = f"{tree}{os.sep}"
    assert {str(f[0]).removeprefix(prefix): f[1:4] for f in files} == FILES
    assert {f[1]: f[2:] for f in functions} == FUNCTIONS
    assert {(str(i[0]).removeprefix(prefix), i[1]): i[2] for i in imports} == IMPORTS


def test_files_that_do_not_parse_are_listed_with_the_reason(
    census: ModuleType, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    census.census(tree, database=tree.parent / "census.db").run(execution="inline")
    printed = capsys.readouterr().out
    listed = printed.partition("Files that did not parse")[2]
    assert "broken.py" in listed
    assert "invalid syntax" in listed
    assert "(line 1)" in listed
    assert "nulls.py" in listed
    assert "latin.py" in listed
    assert "odd.py" not in listed


def test_a_file_that_cannot_be_read_is_listed_too(census: ModuleType, tree: Path) -> None:
    (tree / "gone.py").symlink_to(tree / "nowhere.py")
    row = census.measure(tree / "gone.py")
    assert row.error == "cannot be read: No such file or directory"


def test_the_summary_is_printed_once_when_all_is_counted(
    census: ModuleType, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    census.census(tree, database=tree.parent / "census.db").run()
    lines = capsys.readouterr().out.splitlines()
    assert lines.count("Census of Python source") == 1
    assert lines[2].split() == ["7", "31", "1", "3", "3"]
    assert lines[lines.index("Most imported modules") + 2].split() == ["os", "3", "2"]
    assert lines[lines.index("Most complex functions") + 2].split()[:3] == ["Shape.area", "7", "4"]


def test_a_census_replaces_the_one_before_and_keeps_its_file(
    census: ModuleType, tree: Path
) -> None:
    database = tree.parent / "census.db"
    pipe = census.census(tree, database=database)
    for _ in range(2):
        pipe.run(execution="inline")
    assert answer(database, "SELECT count(*) FROM files") == [(len(FILES),)]


def test_the_number_of_files_can_be_limited(census: ModuleType, tree: Path) -> None:
    report = census.census(tree, database=tree.parent / "census.db", limit=2).run()
    assert report["sources"].emitted == 2


def test_a_root_that_is_not_there_is_a_usage_error(census: ModuleType, tree: Path) -> None:
    with pytest.raises(UsageError, match="is not a directory"):
        census.census(tree / "nowhere")


def test_the_library_of_the_interpreter_is_walked_once(census: ModuleType) -> None:
    files = list(census.python_files(census.library_roots()))
    assert len(files) == len({file.resolve() for file in files})
    assert Path(os.__file__).resolve() in files
    assert Path(pytest.__file__).resolve() in files


def test_odd_file_names_are_written_as_escapes(census: ModuleType) -> None:
    assert census.printable("a\x1b\udc80é") == "a\\x1b\\udc80é"


def test_a_killed_worker_costs_the_file_it_was_reading(
    census: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(200):
        (tree / f"more_{number:03}.py").write_text("x = 1\n")
    measure, victim = census.measure, tree / "more_100.py"

    def deadly(path: Path) -> object:
        if path == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return measure(path)

    monkeypatch.setattr(census, "measure", deadly)
    database = tree.parent / "census.db"
    report = census.census(tree, database=database).run()
    [failure] = report.failures
    assert (failure.stage, failure.item) == ("parse", victim)
    assert isinstance(failure.error, WorkerDied)
    assert failure.error.status == -signal.SIGKILL
    assert report["parse"].skipped == 1
    missing = set(census.python_files([tree])) - {
        Path(str(path)) for (path,) in answer(database, "SELECT path FROM files")
    }
    assert missing == {victim}


def test_the_command_runs_it_and_leaves_no_temporary_file(tree: Path) -> None:
    folder = tree.parent / "temporary"
    folder.mkdir()
    program = "from minigun_py.cli.main import main; main()"
    command = [sys.executable, "-c", program, "run", str(EXAMPLE), "-p", f"root={tree}"]
    result = subprocess.run(
        command,
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Most complex functions" in result.stdout
    assert "census: ended well" in result.stdout
    assert list(folder.iterdir()) == []
