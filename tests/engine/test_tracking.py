"""Of a lease that a failure has ended early, only what was run before it is finished."""

from __future__ import annotations

from minigun_py.contexts.answer import Harvest, ItemFailure, Lease, StageCounts
from minigun_py.engine.failure import Action
from minigun_py.engine.kept_items import KeptItems
from minigun_py.engine.lineage import Ending
from minigun_py.engine.provenance import provenance_of
from minigun_py.engine.tracking import Ended, SourceItem, Tracking


def finished_of(run: int, fails: bool) -> list[str]:
    """Of four items of which so many were run, the last of them failing or not: those finished."""
    told: list[str] = []

    def tell(ended: Ended) -> None:
        told.extend(item.source for item, ending in ended if ending is Ending.FINISHED)

    tracking = Tracking(tell)
    nodes = [tracking.begin(SourceItem(f"item {n}")) for n in range(4)]
    lease = Lease(0, ["a", "b", "c", "d"], origins=nodes)
    well = run - fails
    harvest = Harvest(
        [["output"] * well],
        [StageCounts(received=4, completed=well, failed=int(fails), emitted=well)],
        [ItemFailure("stage", well, "item", ValueError("no"))] if fails else [],
        shares=[([range(n, n + 1)], None, (n + 1,)) for n in range(well)],
    )
    provenance = provenance_of(lease, harvest, KeptItems(), (), None)
    actions = [(Action.FAIL, 0)] if fails else []
    [outputs], _ = tracking.trace(provenance, harvest, [1], actions)
    for output in outputs:
        tracking.end(output.origin)
    return told


def test_what_was_left_when_an_item_failed_is_not_finished() -> None:
    assert finished_of(2, fails=True) == ["item 0"]


def test_all_of_a_lease_that_was_run_to_its_end_is_finished() -> None:
    assert finished_of(4, fails=False) == ["item 0", "item 1", "item 2", "item 3"]
