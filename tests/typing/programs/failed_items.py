# pyright: strict
"""A failed item has the type of the items of its stage."""

from typing import Any, assert_type

from minigun_py import FailedItem, Pipeline, RunReport

pipe = Pipeline("pages")


@pipe.on_failure
def keep(failed: FailedItem[str]) -> None:
    assert_type(failed.item, str)
    assert_type(failed.stage, str)
    assert_type(failed.error, Exception)
    assert_type(failed.attempts, int)
    failed.item = "b"  # error
    failed.show()  # error


failed = FailedItem("parse", "a", ValueError())
assert_type(failed, FailedItem[str])
wider: FailedItem[object] = failed
narrower: FailedItem[int] = failed  # error
FailedItem[str]("parse", 1, ValueError())  # error


def tell(report: RunReport) -> None:
    assert_type(report.failures, tuple[FailedItem[Any], ...])
