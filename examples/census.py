"""A census of Python source: what is in a tree of files, counted in one pass.

A producer walks the tree, forked workers parse each file with `ast` and measure it, rows are
batched, each batch becomes one SQLite transaction, and when all is stored a summary is printed::

    sources ──> parse (fork) ──> rows ──> store ──> stored ──> show

Without a root it counts the standard library and the site-packages of the interpreter that runs
it. A file that does not parse is counted and listed like any other.

Use::

    minigun run examples/census.py                                  # with a live view
    minigun run examples/census.py -p root=DIR -p database=census.db -p workers=4
    minigun plan examples/census.py                                 # where each stage runs, and why
    python examples/census.py                                       # without the command line extra
"""

from __future__ import annotations

import ast
import atexit
import os
import shutil
import sqlite3
import sys
import sysconfig
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from minigun_py import Pipeline, UsageError


def census(
    root: Path | None = None,
    workers: int = 2,
    database: Path | None = None,
    limit: int | None = None,
) -> Pipeline:
    """The pipeline, ready to run.

    Args:
        root: The tree to count; by default the library of this interpreter.
        workers: How many processes parse files.
        database: The SQLite file to write, which is kept; by default a temporary one.
        limit: Stop after so many files.
    """
    if root and not root.is_dir():
        raise UsageError(f"root: {root} is not a directory")
    roots = [root] if root else library_roots()
    database = database or temporary_database()
    silence_the_parser()
    pipe = Pipeline("census")

    @pipe.producer
    def sources() -> Iterator[Path]:
        create_tables(database)
        yield from islice(python_files(roots), limit)

    @pipe.processor(execution="fork", workers=workers, on_error="skip")
    def parse(path: Path) -> Row:
        return measure(path)

    pipe.batch(100, max_wait=1.0, name="rows")

    @pipe.processor
    def store(rows: list[Row]) -> int:
        return insert(database, rows)

    # A batch that never fills goes when all before it has ended: the summary comes last, once.
    pipe.batch(sys.maxsize, name="stored")

    @pipe.consumer
    def show(stored: list[int]) -> None:
        print(summary(database))

    return pipe


# --- which files -------------------------------------------------------------------------------


def library_roots() -> list[Path]:
    """The standard library and site-packages of this interpreter, each once."""
    names = ("stdlib", "purelib", "platlib")
    return list(dict.fromkeys(Path(sysconfig.get_path(name)).resolve() for name in names))


def python_files(roots: list[Path]) -> Iterator[Path]:
    """Every Python file under the roots, in an order that does not change between runs.

    Of several roots, site-packages is passed over inside any: it is a root of its own, or, beside
    the standard library that a virtual environment borrows, not in use.
    """
    passed_over = {"__pycache__", "site-packages"} if len(roots) > 1 else {"__pycache__"}
    for root in roots:
        for folder, subfolders, files in os.walk(root):
            subfolders[:] = sorted(set(subfolders) - passed_over)
            yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


# --- what a file is made of --------------------------------------------------------------------


class Function(NamedTuple):
    """One function or method, with what it contains but for functions inside it."""

    name: str
    line: int
    lines: int
    complexity: int


class Row(NamedTuple):
    """One file. `error` says why it did not parse; it is empty when it did."""

    path: str
    lines: int = 0
    classes: int = 0
    functions: tuple[Function, ...] = ()
    imports: tuple[tuple[str, int], ...] = ()
    error: str = ""


PARSED_FILE = "<census>"
UNPARSABLE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `ast.parse` raises for text that is no Python (null bytes, wrong encoding, nesting)."""


def silence_the_parser() -> None:
    """The parser warns of odd literals, and those files are not ours to mend."""
    warnings.filterwarnings("ignore", module=PARSED_FILE)


def measure(path: Path) -> Row:
    """Read and measure one file. Whatever is wrong with the file is told in the row."""
    name = printable(str(path))
    try:
        source = path.read_bytes()
    except OSError as error:
        return Row(name, error=f"cannot be read: {error.strerror}")
    lines = len(source.splitlines())
    try:
        tree = ast.parse(source, PARSED_FILE)
    except UNPARSABLE as error:
        return Row(name, lines, error=printable(reason(error)))
    walk = Walk(tree)
    imports = tuple(sorted(walk.imports.items()))
    return Row(name, lines, walk.classes, walk.functions(), imports)


def reason(error: BaseException) -> str:
    """Why a file did not parse, on one line, without the name the parser knows it by."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})" if error.lineno else error.msg
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def printable(text: str) -> str:
    """The text with what would upset a terminal or a database written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


class Walk:
    """One walk over a syntax tree, without recursion, that counts as it goes.

    The complexity of a function is McCabe's: one, and one more for each place where its flow
    branches, whether by a statement, a conditional expression, a comprehension or a boolean.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.classes = 0
        self.imports: Counter[str] = Counter()
        self.found: list[ast.FunctionDef | ast.AsyncFunctionDef] = []
        self.names: list[str] = []
        self.branches: list[int] = []
        self.pending: list[tuple[ast.AST, str, int]] = [(tree, "", -1)]
        while self.pending:
            self.visit(*self.pending.pop())

    def functions(self) -> tuple[Function, ...]:
        """What was found, in the order in which a reader meets it."""
        functions = (
            Function(name, node.lineno, (node.end_lineno or 0) - node.lineno + 1, branches + 1)
            for name, node, branches in zip(self.names, self.found, self.branches, strict=True)
        )
        return tuple(sorted(functions, key=lambda function: (function.line, function.name)))

    def visit(self, node: ast.AST, prefix: str, owner: int) -> None:
        """Count one node; `owner` is the index of the innermost function around it."""
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            prefix, owner = f"{prefix}{node.name}.", len(self.found)
            self.found.append(node)
            self.names.append(prefix[:-1])
            self.branches.append(0)
        elif isinstance(node, ast.ClassDef):
            prefix = f"{prefix}{node.name}."
            self.classes += 1
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self.imports.update(imported(node))
        elif owner >= 0:
            self.branches[owner] += branches_at(node)
        self.pending.extend((child, prefix, owner) for child in ast.iter_child_nodes(node))


def imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    """The top-level modules that a statement names; none where it is relative."""
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    return [] if node.level or not node.module else [node.module.partition(".")[0]]


FORKS = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)


def branches_at(node: ast.AST) -> int:
    """How many ways the flow gains at this node."""
    if isinstance(node, FORKS):
        return 1
    if isinstance(node, ast.BoolOp):
        return len(node.values) - 1
    if isinstance(node, ast.comprehension):
        return 1 + len(node.ifs)
    return 0


# --- the database ------------------------------------------------------------------------------

TABLES = """
DROP TABLE IF EXISTS files;
DROP TABLE IF EXISTS functions;
DROP TABLE IF EXISTS imports;
CREATE TABLE files (path TEXT, lines INTEGER, classes INTEGER, functions INTEGER, error TEXT);
CREATE TABLE functions (path TEXT, name TEXT, line INTEGER, lines INTEGER, complexity INTEGER);
CREATE TABLE imports (path TEXT, module TEXT, times INTEGER);
"""


def temporary_database() -> Path:
    """A file that is gone when the interpreter exits."""
    folder = tempfile.mkdtemp(prefix="census-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder, "census.db")


def create_tables(database: Path) -> None:
    """Empty tables; those of an earlier census are replaced."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(TABLES)


def insert(database: Path, rows: list[Row]) -> int:
    """Write a batch in one transaction and say how many rows it had.

    The connection lives as long as the batch: opening one is cheap next to the commit, and so
    none is left open when a run is cut.
    """
    files = [(r.path, r.lines, r.classes, len(r.functions), r.error or None) for r in rows]
    functions = [(row.path, *function) for row in rows for function in row.functions]
    imports = [(row.path, *pair) for row in rows for pair in row.imports]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?)", files)
        connection.executemany("INSERT INTO functions VALUES (?, ?, ?, ?, ?)", functions)
        connection.executemany("INSERT INTO imports VALUES (?, ?, ?)", imports)
    return len(rows)


# --- the summary -------------------------------------------------------------------------------

QUESTIONS = {
    "Census of Python source": """
        SELECT count(*) AS files, total(lines) AS lines, total(classes) AS classes,
        total(functions) AS functions, count(error) AS "did not parse" FROM files""",
    "Most imported modules": """
        SELECT module, sum(times) AS imports, count(*) AS files
        FROM imports GROUP BY module ORDER BY imports DESC, module LIMIT 10""",
    "Most complex functions": """
        SELECT name AS function, complexity, lines, path || ':' || line AS place
        FROM functions ORDER BY complexity DESC, path, line LIMIT 10""",
    "Longest functions": """
        SELECT name AS function, lines, complexity, path || ':' || line AS place
        FROM functions ORDER BY lines DESC, path, line LIMIT 5""",
    "Files that did not parse": """
        SELECT path AS file, error FROM files WHERE error IS NOT NULL ORDER BY path LIMIT 20""",
}


def summary(database: Path) -> str:
    """What the census found, as tables; with `rich` installed they fit the terminal."""
    drawn: list[str] = []
    with closing(sqlite3.connect(database)) as connection:
        for title, question in QUESTIONS.items():
            answer = connection.execute(question)
            headings = [column[0] for column in answer.description]
            rows = [[v if isinstance(v, str) else f"{v:,.0f}" for v in row] for row in answer]
            if rows:
                drawn.append(table(title, headings, rows))
    return "\n\n".join(drawn)


def table(title: str, headings: list[str], rows: list[list[str]]) -> str:
    """A table for people: drawn by `rich` in a terminal where it is installed, else plain."""
    right = [all(row[i].replace(",", "").isdigit() for row in rows) for i in range(len(headings))]
    try:
        from rich.console import Console
    except ModuleNotFoundError:
        return plain_table(title, headings, rows, right)
    draw = rich_table if Console().is_terminal else plain_table
    return draw(title, headings, rows, right)


def rich_table(title: str, headings: list[str], rows: list[list[str]], right: list[bool]) -> str:
    """The table as wide as the terminal allows; long cells are folded."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawing = Table(title=title, title_justify="left", title_style="bold")
    for heading, is_number in zip(headings, right, strict=True):
        drawing.add_column(heading, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        drawing.add_row(*map(Text, row))
    console = Console()
    with console.capture() as drawn:
        console.print(drawing)
    return drawn.get().rstrip()


def plain_table(title: str, headings: list[str], rows: list[list[str]], right: list[bool]) -> str:
    """The table with nothing but spaces, as for a file or a pipe."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if is_number else text.ljust(width)
            for text, width, is_number in zip(row, widths, right, strict=True)
        )
        for row in [headings, *rows]
    ]
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)])


if __name__ == "__main__":
    print(f"\n{census().run()}")
