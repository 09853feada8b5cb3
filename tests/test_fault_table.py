"""The table of faults: its verdicts are what happens, and the page has a row for every fault."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import _fault_trial, faults
from benchmarks._fault_cases import FAULTS
from benchmarks._fault_libraries import LIBRARIES
from benchmarks._fault_trial import Record, Verdict, judge

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "faults.md"
LIMIT = 20.0


def told(results: int, errors: list[list[str]], ending: list[str] | None = None) -> dict[str, Any]:
    return {"results": results, "errors": errors, "ending": ending}


def test_a_killed_worker_costs_minigun_py_one_item_and_a_pool_of_futures_the_rest() -> None:
    libraries = ["minigun_py", "concurrent.futures"]
    verdicts = faults.tried(libraries, ["exception", "sigkill"], LIMIT)
    assert {library: str(verdicts["exception", library]) for library in libraries} == {
        "minigun_py": "39 + ValueError",
        "concurrent.futures": "39 + ValueError",
    }
    assert verdicts["sigkill", "minigun_py"] == Verdict("39 + WorkerDied", good=True)
    pool = verdicts["sigkill", "concurrent.futures"]
    assert not pool.good
    assert "BrokenProcessPool" in pool.text


def test_a_program_that_is_killed_is_looked_at_for_what_it_leaves() -> None:
    verdicts = faults.tried(["minigun_py"], ["sigkill_parent"], LIMIT)
    assert verdicts["sigkill_parent", "minigun_py"] == Verdict("ends by SIGKILL", good=True)


def test_a_case_that_does_not_end_is_killed_and_called_a_hang() -> None:
    verdicts = faults.tried(["concurrent.futures"], ["hang"], limit=1.0)
    assert str(verdicts["hang", "concurrent.futures"]) == "**HANG**"


def test_a_library_that_is_missing_is_recorded_and_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "import sys\n"
        "sys.modules['mpire'] = None\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from benchmarks._fault_child import main\n"
        "main(*sys.argv[1:])\n"
    )
    monkeypatch.setattr(_fault_trial, "CHILD", child)
    verdicts = faults.tried(["mpire"], ["exception"], LIMIT)
    table = faults.table(verdicts, ["mpire"], ["exception"])
    assert table.splitlines()[-2:] == [
        "| the function raises | not installed |",
        "| good | 0 of 0 |",
    ]


@pytest.mark.parametrize(
    ("fault", "record", "verdict"),
    [
        ("sigkill", Record(told(39, []), 0, 0), "**39, silent**"),
        ("sigkill", Record(told(39, [["ValueError", "no"]]), 0, 0), "**39 + ValueError**"),
        ("exception", Record(told(5, [], ["ValueError", ""]), 0, 0), "**stops at 5: ValueError**"),
        (
            "exception",
            Record(told(39, [["ValueError", ""]]), None, 0),
            "**39 + ValueError, then HANG**",
        ),
        ("setup", Record(told(0, [["Broken", "it died"]] * 2), 0, 0), "**0 + 2 Broken**"),
        ("idle", Record(told(40, []), 0, 0), "40"),
        ("idle", Record(told(40, []), 0, 1), "**40, ORPHANS 1**"),
        ("leave", Record(told(5, []) | {"drawn": 2_000, "rising": False}, 0, 0), "2,000 drawn"),
        (
            "leave",
            Record(told(5, []) | {"drawn": 9, "rising": True}, 0, 0),
            "**9 drawn and rising**",
        ),
        ("ctrl_c", Record(told(4, [], ["KeyboardInterrupt", ""]), 0, 0), "KeyboardInterrupt"),
        ("ctrl_c_twice", Record(None, -signal.SIGINT, 0), "ends by SIGINT"),
        ("sigterm", Record(None, -signal.SIGTERM, 2), "**ends by SIGTERM, ORPHANS 2**"),
    ],
)
def test_a_verdict_is_plain_only_where_nothing_more_was_lost(
    fault: str, record: Record, verdict: str
) -> None:
    assert str(judge(FAULTS[fault], record)) == verdict


def test_the_page_has_a_row_for_every_fault_and_a_column_for_every_library() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page.partition(faults.BEGIN)[2].partition(faults.END)[0]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows[2:]] == [
        *(fault.title for fault in FAULTS.values()),
        "good",
    ]
    assert {len(row) for row in rows} == {1 + len(LIBRARIES)}


def test_a_new_table_leaves_the_prose_of_the_page_alone() -> None:
    page = f"before\n{faults.BEGIN}\nold\n{faults.END}\nafter\n"
    assert faults.replaced(page, "new") == f"before\n{faults.BEGIN}\n\nnew\n\n{faults.END}\nafter\n"
