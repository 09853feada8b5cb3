"""A program imports what it needs: what few runs need is not there before it is asked for."""

from __future__ import annotations

import os

import pytest

from support.untraced import printed_by

SELDOM = {
    "annotationlib",
    "ast",
    "asyncio",
    "cloudpickle",
    "dataclasses",
    "inspect",
    "json",
    "logging",
    "pathlib",
    "re",
    "sqlite3",
    "subprocess",
    "tempfile",
    "traceback",
}
"""Of the standard library and others: each takes as long as ten modules of ours."""

LANES = {"orchestrator", "worker_group", "lending", "doorways"}
DEPTH_FIRST = {"inline_run", "depth_first"}
BOOKS = {"source_books", "tracking", "tracked_source", "lineage", "checkpoint_file"}
KINDS = {"contexts.fork", "contexts.coroutine", "contexts.subinterpreter", "contexts.process"}


def imported(kind: str) -> set[str]:
    """What a run of plain functions imports, beside what the modules that it needs import."""
    [line] = printed_by(f"""
        import binascii, contextvars, copy, graphlib, heapq, pickle, select, signal, threading
        import typing, weakref, sys, warnings
        before = set(sys.modules)

        from minigun_py import Pipeline

        pipe = Pipeline()
        pipe.source([1, 2])
        pipe.processor(lambda x: x + 1, name="work", execution={kind!r})
        with pipe.stream() as results:
            assert sorted(results) == [2, 3]
        print(*(set(sys.modules) - before))
    """)
    return set(line.split())


@pytest.mark.parametrize("kind", ["inline", "thread"])
def test_a_run_imports_nothing_that_few_need(kind: str) -> None:
    assert imported(kind) & SELDOM == set()


def test_a_run_in_processes_imports_little_more() -> None:
    wanted = {"re"}  # by sockets
    if not hasattr(os, "memfd_create"):
        wanted.add("tempfile")
    assert imported("fork") & SELDOM <= wanted


@pytest.mark.parametrize(
    ("kind", "way", "other"), [("inline", DEPTH_FIRST, LANES), ("thread", LANES, DEPTH_FIRST)]
)
def test_a_run_imports_its_own_way_alone(kind: str, way: set[str], other: set[str]) -> None:
    names = {name.removeprefix("minigun_py.engine.") for name in imported(kind)}
    assert way <= names
    assert not (other | BOOKS) & names


def test_a_run_imports_no_kind_that_it_does_not_use() -> None:
    names = {name.removeprefix("minigun_py.") for name in imported("thread")}
    assert not KINDS & names
