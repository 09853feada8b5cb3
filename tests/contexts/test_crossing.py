"""What cannot cross is blamed on exactly the item it belongs to."""

from __future__ import annotations

import pickle
import threading
from typing import Any

import pytest

from contract.kernels import ChainKernel
from minigun_py.contexts import crossing, portable_errors
from minigun_py.contexts.answer import Harvest, ItemFailure, StageCounts
from minigun_py.errors import NotPicklable, RemoteError

STAGES = ("work",)


class TwoArguments(Exception):
    """Cannot be rebuilt from its text alone."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


def cross(harvest: Harvest, head: str = "work") -> Harvest:
    packed = pickle.dumps(crossing.pack_harvest(harvest, head))
    return crossing.unpack_harvest(pickle.loads(packed))


def failed(error: Exception, item: Any = None, stage: str = "work") -> Harvest:
    counts = StageCounts(received=1, failed=1)
    return Harvest([[]], [counts], [ItemFailure(stage, 0, item, raised(error))])


def test_a_harvest_crosses_whole() -> None:
    harvest = Harvest([[1, None], []], [StageCounts(2, 1, 1, 0, 0, 1)], [], 0.5, 7, 12.5)
    assert cross(harvest) == harvest


def test_an_error_keeps_its_type_and_brings_its_traceback() -> None:
    (failure,) = cross(failed(KeyError("missing"))).failures
    assert isinstance(failure.error, KeyError)
    cause = failure.error.__cause__
    assert isinstance(cause, portable_errors.RemoteTraceback)
    assert "in raised" in str(cause)
    assert "KeyError: 'missing'" in str(cause)


@pytest.mark.parametrize("error", [TwoArguments("one", "two"), type("Odd", (Exception,), {})("x")])
def test_an_error_that_cannot_be_rebuilt_leaves_its_name_and_text(error: Exception) -> None:
    (failure,) = cross(failed(error)).failures
    assert isinstance(failure.error, RemoteError)
    assert failure.error.type_name.endswith(type(error).__name__)
    assert failure.error.text == str(error)


def test_an_item_of_the_first_stage_stays_behind_and_is_put_back() -> None:
    lock = threading.Lock()
    harvest = cross(failed(ValueError("no"), lock))
    assert harvest.failures[0].item is None
    (failure,) = crossing.with_items(harvest.failures, "work", [lock])
    assert failure.item is lock


def test_an_item_of_a_later_stage_crosses_or_is_told_by_its_repr() -> None:
    lock = threading.Lock()
    for item, told in ((7, 7), (lock, repr(lock))):
        (failure,) = cross(failed(ValueError("no"), item), head="first").failures
        assert failure.item == told
        assert crossing.with_items([failure], "first", ["unused"]) == [failure]


def test_items_are_packed_one_by_one_the_slow_way_if_need_be() -> None:
    plain, closure, lock = crossing.pack_each([1, lambda: 5, threading.Lock()])
    assert isinstance(plain, bytes)
    assert isinstance(closure, bytes)
    assert pickle.loads(closure)() == 5
    assert isinstance(lock, NotPicklable)
    assert "lock" in str(lock)


def test_items_run_one_by_one_fail_alone() -> None:
    kernel = ChainKernel(work=lambda n: threading.Lock() if n == 2 else 1 / n)
    worker = kernel.bind()
    items = [1, 0, 2, threading.Lock(), 4]
    one_by_one = crossing.OneByOne(worker, crossing.pack_each(items), kernel)
    while (chunk := one_by_one.next()) is not None:
        worker.run(chunk)
    harvest = crossing.unpack_each(one_by_one.hand_in(), STAGES, (0,))
    assert harvest.outputs == [[1.0, 0.25]]
    told = [(failure.index, type(failure.error)) for failure in harvest.failures]
    assert told == [(1, ZeroDivisionError), (2, NotPicklable), (3, NotPicklable)]
    (counts,) = harvest.counts
    assert (counts.received, counts.completed, counts.failed) == (5, 2, 3)


def test_an_answer_that_cannot_be_rebuilt_fails_its_item() -> None:
    harvest = crossing.unpack_each([b"no pickle"], STAGES, (0,))
    (failure,) = harvest.failures
    assert isinstance(failure.error, NotPicklable)
    assert "cannot be rebuilt" in str(failure.error)


def test_a_result_that_cannot_be_pickled_is_blamed_by_its_place() -> None:
    error = ItemFailure("work", 1, None, raised(ValueError("no")))
    counts = StageCounts(received=3, completed=2, failed=1, emitted=2)
    harvest = Harvest([["first", threading.Lock()]], [counts], [error])
    blobs = crossing.blame_results(harvest, 3, (0,), STAGES)
    assert blobs is not None
    blamed = crossing.unpack_each(blobs, STAGES, (0,))
    assert blamed.outputs == [["first"]]
    assert [(f.index, type(f.error)) for f in blamed.failures] == [
        (1, ValueError),
        (2, NotPicklable),
    ]


@pytest.mark.parametrize(
    ("counts", "stages", "exits"),
    [
        (StageCounts(received=2, completed=1, filtered=1, emitted=1), STAGES, (0,)),
        (StageCounts(received=2, completed=2, emitted=5), STAGES, (0,)),
        (StageCounts(received=2, completed=2, emitted=2), ("work", "more"), (1,)),
        (StageCounts(received=2, completed=2, emitted=2), STAGES, ()),
    ],
)
def test_results_whose_places_tell_nothing_blame_nobody(
    counts: StageCounts, stages: tuple[str, ...], exits: tuple[int, ...]
) -> None:
    harvest = Harvest([[threading.Lock()] for _ in exits], [counts for _ in stages])
    assert crossing.blame_results(harvest, 2, exits, stages) is None


def test_harvests_are_merged_in_order() -> None:
    parts = [Harvest([[n]], [StageCounts(received=1)], [], 0.5) for n in range(3)]
    total = crossing.merge(parts, 1, 1)
    assert (total.outputs, total.counts[0].received, total.seconds) == ([[0, 1, 2]], 3, 1.5)


# --------------------------------------------------------------------------- an error by itself


def crossed(error: Exception) -> Exception:
    packed = pickle.loads(pickle.dumps(portable_errors.pack_error(raised(error))))
    return portable_errors.unpack_error(packed)


def test_an_error_by_itself_keeps_its_type_its_notes_and_its_traceback() -> None:
    original = OSError(28, "no room")
    original.add_note("in the setup of stage 'a'")
    error = crossed(original)
    assert isinstance(error, OSError)
    assert (error.errno, error.__notes__) == (28, ["in the setup of stage 'a'"])
    assert isinstance(error.__cause__, portable_errors.RemoteTraceback)
    assert "in raised" in str(error.__cause__)


def test_an_error_by_itself_that_cannot_be_rebuilt_leaves_its_name_and_text() -> None:
    error = crossed(TwoArguments("one", "two"))
    assert isinstance(error, RemoteError)
    assert error.text == "one and two"
