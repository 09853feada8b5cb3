"""How failures are told to a person."""

from __future__ import annotations

from minigun_py import FailedItem, RunReport
from minigun_py.cli.failures import failure_text, skipped_text


def failed(item: object, stage: str = "parse") -> FailedItem:
    """An item with an error that was really raised."""
    try:
        raise ValueError(f"bad {item}")
    except ValueError as error:
        return FailedItem(stage, item, error)


def report_of(*failures: FailedItem) -> RunReport:
    return RunReport("job", False, 1.0, {}, failures)


def test_a_failure_names_stage_and_item_and_has_its_traceback() -> None:
    failure = failed(7)
    text = failure_text((failure.error,), report_of(failure))
    assert text.startswith("stage 'parse' failed on item 7:\nTraceback (most recent call last)")
    assert text.endswith("ValueError: bad 7")


def test_an_error_of_no_item_has_its_traceback_alone() -> None:
    assert failure_text((ValueError("alone"),), report_of()) == "ValueError: alone"


def test_escape_sequences_in_items_and_messages_are_shown_not_sent() -> None:
    failure = failed("\x1b[2J", stage="\x1b]0;")
    text = failure_text((failure.error,), report_of(failure))
    assert "\x1b" not in text + skipped_text((failure,))


def test_skipped_items_have_a_line_each_and_fatal_ones_none() -> None:
    fatal, skipped = failed(1), failed(2)
    text = skipped_text((fatal, skipped), (fatal.error,))
    assert text == "stage 'parse' skipped item 2: ValueError: bad 2"


def test_many_skipped_items_are_counted() -> None:
    lines = skipped_text(tuple(failed(n) for n in range(30))).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 10 more; --report FILE lists them"


def test_nothing_skipped_is_nothing_said() -> None:
    assert skipped_text(()) == ""
