"""A nightly job: downloads archives of source from a server, counts what is in them, and reports.

The steps of a workflow, and what each says it needs::

    packages ──> archives (each) ──> figures (each) ──> stored ──> report
     network        network            processor                     ^
                                       and memory ──> broken ────────┘
                                                      if there are any

The server is a real one, on this machine. It has the packages of the standard library, or of
another tree, as zip files. A file that does not parse is counted like any other, and told of.

Use::

    python examples/nightly.py
    python examples/nightly.py DIR nightly.db      # another tree; a database that is kept
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import sys
import sysconfig
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

from census import (  # type: ignore[import-not-found] # beside this file
    Row,
    measure,
    python_files,
    silence_the_parser,
)

from minigun_py import HEAVY_CPU, HEAVY_IO, Memory, Workflow
from minigun_py.events import Event, StepCompleted, StepFailed

nightly = Workflow("nightly", limits={"server": 4})


class Figures(NamedTuple):
    """What is in an archive."""

    package: str
    files: int
    lines: int
    functions: int
    broken: tuple[str, ...]


@nightly.step(resources=HEAVY_IO, retry=3)
def packages(url: str) -> list[str]:
    """What there is to download."""
    with urlopen(f"{url}/index.json", timeout=10) as answer:
        return json.load(answer)


@nightly.step(each={"package": "packages"}, resources=HEAVY_IO, limits="server", retry=3)
def archives(package: str, url: str, folder: Path) -> Path:
    """One archive, on this machine."""
    path = folder / f"{package}.zip"
    with urlopen(f"{url}/{package}.zip", timeout=10) as answer, path.open("wb") as file:
        shutil.copyfileobj(answer, file)
    return path


@nightly.cleanup("archives")
def remove(folder: Path) -> None:
    """Whatever became of the run."""
    shutil.rmtree(folder)


@nightly.step(each={"archive": "archives"}, resources=[HEAVY_CPU, Memory("400MB")], timeout=60)
def figures(archive: Path) -> Figures:
    """What is in one archive, counted in a process that is held to its memory and its time."""
    silence_the_parser()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(archive) as files:
        files.extractall(folder)
        rows = [measure(path) for path in python_files([Path(folder)])]
    return summed(archive.stem, rows)


def summed(package: str, rows: list[Row]) -> Figures:
    """The figures of all files of a package."""
    broken = tuple(Path(row.path).name for row in rows if row.error)
    functions = sum(len(row.functions) for row in rows)
    return Figures(package, len(rows), sum(row.lines for row in rows), functions, broken)


@nightly.step
def stored(figures: list[Figures], database: Path) -> int:
    """How many packages the database has now."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS packages "
            "(package TEXT PRIMARY KEY, files INT, lines INT, functions INT)"
        )
        connection.executemany(
            "INSERT OR REPLACE INTO packages VALUES (?, ?, ?, ?)", [f[:4] for f in figures]
        )
        [count] = connection.execute("SELECT count(*) FROM packages").fetchone()
    return count


def some_are_broken(figures: list[Figures]) -> bool:
    """Whether there is anything to complain of."""
    return any(one.broken for one in figures)


@nightly.step(when=some_are_broken)
def broken(figures: list[Figures]) -> str:
    """The files that do not parse."""
    return ", ".join(f"{one.package}/{name}" for one in figures for name in one.broken)


@nightly.step
def report(figures: list[Figures], stored: int, broken: str = "none") -> str:
    """What somebody reads in the morning."""
    largest = sorted(figures, key=lambda one: -one.lines)[:8]
    return "\n".join(
        [
            f"{'package':<16} {'files':>6} {'lines':>8} {'functions':>10}",
            *(f"{f.package:<16} {f.files:>6} {f.lines:>8} {f.functions:>10}" for f in largest),
            f"{stored} packages, {sum(one.lines for one in figures)} lines",
            f"files that do not parse: {broken}",
        ]
    )


# --- the server --------------------------------------------------------------------------------


@contextmanager
def served(root: Path) -> Iterator[str]:
    """A server that has each folder of Python under `root` as an archive; its address."""
    with tempfile.TemporaryDirectory() as folder:
        names = [path.name for path in sorted(root.iterdir()) if (path / "__init__.py").exists()]
        for name in names:
            with zipfile.ZipFile(Path(folder, f"{name}.zip"), "w") as archive:
                for path in python_files([root / name]):
                    archive.write(path, path.relative_to(root))
        Path(folder, "index.json").write_text(json.dumps(names))
        handler = partial(Quiet, directory=folder)
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever).start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    """Says nothing of its requests."""

    def log_message(self, *_: object) -> None:
        """Not a word."""


def show(event: Event) -> None:
    """A line for each step that ends."""
    if isinstance(event, StepCompleted):
        print(f"{event.step:<10} {event.duration * 1000:8.1f} ms")
    if isinstance(event, StepFailed):
        print(f"{event.step:<10} {event.error!r}")


def main() -> None:
    """One night."""
    given = [Path(argument) for argument in sys.argv[1:]]
    root = given[0] if given else Path(sysconfig.get_path("stdlib"))
    folder = Path(tempfile.mkdtemp())
    database = given[1] if len(given) > 1 else folder / "nightly.db"
    with served(root) as url:
        inputs = {"url": url, "folder": folder, "database": database}
        results = nightly.run(inputs=inputs, progress=show, memory="1GB", timeout=600)
    results.raise_failures()
    print(results["report"].value)


if __name__ == "__main__":
    main()
