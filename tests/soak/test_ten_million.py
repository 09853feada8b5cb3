"""Workers are killed while items pass: the books balance, and memory does not grow."""

from __future__ import annotations

import json
import os

import pytest

from faults.session import start

SOAKING = os.environ.get("HYPOTHESIS_PROFILE") == "soak"
ITEMS, SECONDS_BETWEEN_KILLS = (10_000_000, 2.0) if SOAKING else (20_000, 0.1)
AT_LAST = 7200.0 if SOAKING else 30.0
MOST_GROWTH = 20.0
"""MB, from a tenth of the items to all of them."""

PROGRAM = "from soak.ten_million import main\nmain()"


def test_with_workers_killed_every_item_is_accounted_for_and_memory_does_not_grow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Coverage would measure the program, and keep what it finds in memory.
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)
    given = ("--items", str(ITEMS), "--every", str(SECONDS_BETWEEN_KILLS))
    with start(PROGRAM, *given) as program:
        said = program.hear(AT_LAST)
        while not said.startswith("{"):
            said = program.hear()
        assert program.wait() == 0
        assert program.orphans(within=2.0) == []
    books = json.loads(said)
    assert books["ok"]
    assert books["unbalanced"] == []
    assert books["stored"] + books["skipped"] == 2 * ITEMS  # every item goes two ways
    assert books["missing"] == 0
    assert books["kills"] >= 1
    assert books["skipped"] <= books["kills"]
    assert books["peak_mb"] - books["peak_mb_at_a_tenth"] < MOST_GROWTH, books
