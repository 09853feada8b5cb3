"""A source item is finished if, and only if, all that came of it has ended well.

Every value carries the source items that it comes from, so that a stage that fails on it tells
which of them are not finished.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigun_py import Pipeline, Stage

Value = tuple[frozenset[int], int]
"""The source items that it comes from, and a number."""

STAGES = ("one", "some", "fail", "batch", "keyed", "rebatch", "runs", "windows", "pairs")
USUAL = settings.default.max_examples if settings.default else 100


def mix(values: Any) -> Value:
    """One value made of several."""
    values = list(values)
    return frozenset().union(*(v[0] for v in values)), sum(v[1] for v in values)


def one(value: Value) -> Value:
    return value[0], value[1] + 1


def some(value: Value) -> Iterator[Value]:
    for n in range(value[1] % 4):
        yield value[0], value[1] + n


def fail(value: Value) -> Value:
    if value[1] % 5 == 2:
        raise ValueError(value)
    return value


def by_number(value: Value) -> int:
    return value[1] % 2


def runs(values: Iterator[Value]) -> Iterator[Value]:
    """Gathers a few, and then gives several."""
    run: list[Value] = []
    for value in values:
        run.append(value)
        if value[1] % 3 == 0:
            yield mix(run)
            yield mix(run)
            run = []
    if run:
        yield mix(run)


def windows(values: Iterator[Value]) -> Iterator[Value]:
    """Gives most of them on, and some not at all."""
    for value in values:
        if value[1] % 4:
            yield value


class Pairs(Stage):
    """Gives two together."""

    def setup(self) -> None:
        self.kept: list[Value] = []

    def process(self, item: Value) -> Value | None:
        self.kept.append(item)
        if len(self.kept) < 2:
            return None
        kept, self.kept = self.kept, []
        return mix(kept)

    def flush(self) -> Iterator[Value]:
        if self.kept:
            yield mix(self.kept)


@dataclass(frozen=True)
class Line:
    """Stages one after the other, with what each says."""

    count: int
    stages: tuple[tuple[str, dict[str, Any]], ...]

    def built(self) -> Pipeline:
        pipe = Pipeline("line")
        pipe.source(range(self.count), name="numbers")
        pipe.processor(lambda n: (frozenset((n,)), n), name="begin")
        for number, (kind, said) in enumerate(self.stages):
            _add(pipe, kind, {"name": f"{kind}_{number}"} | said)
        return pipe


def _add(pipe: Pipeline, kind: str, said: dict[str, Any]) -> None:
    name = said["name"]
    each: dict[str, Callable[..., Any]] = {"one": one, "some": some, "fail": fail}
    streams = {"runs": runs, "windows": windows}
    if kind in each:
        pipe.processor(each[kind], **said)
    elif kind in streams:
        pipe.accumulator(streams[kind], **said)
    elif kind == "pairs":
        pipe.add(Pairs(), **said)
    elif kind == "rebatch":
        pipe.processor(lambda value: [value] * 3, name=f"{name}_lists")
        pipe.rebatch(4, **said)
        pipe.processor(mix, name=f"{name}_each")
    else:
        pipe.batch(3, **said, key=by_number if kind == "keyed" else None)
        pipe.processor(mix, name=f"{name}_each")


@st.composite
def lines(draw: st.DrawFn, kinds: tuple[str, ...]) -> Line:
    stages = []
    for kind in draw(st.lists(st.sampled_from(STAGES), min_size=1, max_size=6)):
        said: dict[str, Any] = {"queue_size": draw(st.sampled_from((1, 3, 1000)))}
        if kind == "fail":
            said["on_error"] = draw(st.sampled_from(("skip", "dead_letter")))
            said["retry"] = draw(st.sampled_from((None, None, 2)))
        execution = draw(st.sampled_from((None, *kinds)))
        if execution is not None:
            said |= {"execution": execution, "chunk": draw(st.sampled_from((None, 1, 4)))}
        if execution not in (None, "inline") and kind in ("one", "some", "fail"):
            said["workers"] = draw(st.integers(1, 2))
        stages.append((kind, said))
    return Line(draw(st.integers(0, 40)), tuple(stages))


def check(line: Line, execution: str | None = None) -> None:
    with TemporaryDirectory() as directory:
        path = Path(directory) / "job.db"
        report = line.built().run(execution=execution, checkpoint=path, timeout=30)
        letters, recorded = _recorded(path)
    skipped = _sources_of(report.failures, "skip", line)
    dead = _sources_of(report.failures, "dead_letter", line)
    assert not recorded & skipped
    assert letters >= dead - skipped - _unfinished(line, recorded)
    if not skipped or _is_exact(line):
        assert recorded | skipped == {*range(line.count)}
    if _is_exact(line):
        assert letters == dead - skipped


def _unfinished(line: Line, recorded: set[int]) -> set[int]:
    return {*range(line.count)} - recorded


def _sources_of(failures: Any, policy: str, line: Line) -> set[int]:
    """The source items of what failed in stages of a policy."""
    said = {f"{kind}_{n}": said for n, (kind, said) in enumerate(line.stages)}
    failed = [f.item[0] for f in failures if said[f.stage].get("on_error") == policy]
    return set(frozenset().union(*failed))


def _is_exact(line: Line) -> bool:
    """Whether no stage gives something for items that it comes from in part, or not at all."""
    return all(kind in ("one", "some", "fail", "batch") for kind, _ in line.stages)


def _recorded(path: Path) -> tuple[set[int], set[int]]:
    """The source items that ended as dead letters, and all that are finished."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT key, dead_letters FROM finished").fetchall()
    assert all(letters in (0, 1) for _, letters in rows)
    return {json.loads(k) for k, letters in rows if letters}, {json.loads(k) for k, _ in rows}


@settings(max_examples=USUAL // 2)
@given(lines(kinds=("inline",)))
def test_no_item_is_finished_of_which_something_was_skipped_inline(line: Line) -> None:
    check(line, "inline")


@settings(max_examples=USUAL // 2)
@given(lines(kinds=("inline", "thread")))
def test_no_item_is_finished_of_which_something_was_skipped(line: Line) -> None:
    check(line)


@settings(max_examples=USUAL // 10)
@given(lines(kinds=("fork", "thread")))
def test_nor_where_stages_are_forked(line: Line) -> None:
    check(line)


@pytest.mark.parametrize("kind", ["inline", "thread"])
def test_of_a_batch_that_failed_only_its_own_items_are_unfinished(
    kind: str, tmp_path: Path
) -> None:
    pipe = Pipeline("batches")
    pipe.source(range(12), name="numbers")
    pipe.batch(3)

    @pipe.consumer(on_error="skip", execution=kind)
    def store(batch: list[int]) -> None:
        if 4 in batch:
            raise ValueError(batch)

    pipe.run(checkpoint=tmp_path / "job.db")
    assert _recorded(tmp_path / "job.db")[1] == {*range(12)} - {3, 4, 5}
