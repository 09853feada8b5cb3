"""The lanes of a plan are joined by channels that end when all that lead to them have ended."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py.engine.doorways import Doorways, outlet_size
from minigun_py.engine.loop import LoopInbox
from minigun_py.errors import EndOfChannel, WouldBlock
from minigun_py.plan.stage import DeclaredStage
from minigun_py.primitives.channel import Receiver
from minigun_py.testing.clock import VirtualClock
from plan.drawing import batch, processor, segments_of, source


class House:
    """The doorways of a pipeline in which every stage has a lane of its own."""

    def __init__(self, *stages: DeclaredStage, outlet: bool = True) -> None:
        self.segments = {segment.head.name: segment for segment in segments_of(stages)}
        self.doorways = Doorways(list(self.segments.values()), outlet, VirtualClock())
        self.exits = {name: self.doorways.exits_of(s) for name, s in self.segments.items()}
        self.ends = self.doorways.close()

    def send(self, name: str, *items: Any, way: int = 0) -> None:
        """Send from a stage, by one of its ways out."""
        self.exits[name][way].extend(list(items))

    def take(self, name: str) -> list[Any]:
        """What waits for a stage."""
        return take(self.doorways.inbox_of(name))

    def end(self, name: str) -> None:
        """A stage has ended."""
        for way_out in self.exits[name]:
            way_out.close()

    def ended(self, name: str) -> bool:
        """Whether nothing will come to a stage any more."""
        try:
            self.doorways.inbox_of(name).receive_many_nowait(1)
        except EndOfChannel:
            return True
        except WouldBlock:
            pass
        return False


def take(receiver: Receiver[Any] | LoopInbox) -> list[Any]:
    try:
        return receiver.receive_many_nowait(100)
    except WouldBlock:
        return []


def lane(name: str, **options: Any) -> DeclaredStage:
    """A processor that is a segment of its own."""
    return processor(name, execution="thread", **options)


class Load:
    """A lane that has so much to do."""

    def __init__(self, load: int) -> None:
        self.load = load


# --------------------------------------------------------------------------- channels


def test_what_a_stage_sends_waits_for_the_next() -> None:
    house = House(source("s"), lane("a"))
    house.send("s", 1, 2)
    assert house.take("a") == [1, 2]


def test_a_stage_ends_when_all_that_feed_it_have_ended() -> None:
    house = House(source("s"), source("t"), lane("a"))
    house.end("s")
    assert not house.ended("a")
    house.end("t")
    assert house.ended("a")


def test_a_stage_that_is_only_routed_to_ends_when_all_who_may_route_to_it_have() -> None:
    house = House(
        source("s", to=["a", "b"]), lane("a", routes="z"), lane("b", routes="z"), lane("z")
    )
    house.end("s")
    house.end("a")
    assert not house.ended("z")
    house.end("b")
    assert house.ended("z")


def test_each_route_is_a_way_out_of_its_own() -> None:
    house = House(source("s"), lane("a", routes=["y", "z"], to=[]), lane("y", to=[]), lane("z"))
    house.send("a", 1, way=0)
    house.send("a", 2, way=1)
    assert (house.take("y"), house.take("z")) == ([1], [2])


def test_a_queue_holds_as_much_as_its_stage_says() -> None:
    house = House(source("s"), lane("a", queue_size=3))
    (sender,) = house.exits["s"][0].senders
    assert sender.send_many_nowait([1, 2, 3, 4, 5]) == 3


def test_what_an_end_gives_goes_to_the_outlet() -> None:
    house = House(source("s"), lane("a"))
    house.send("a", 1)
    assert house.doorways.outlet is not None
    assert take(house.doorways.outlet) == [1]


def test_all_ends_share_one_outlet() -> None:
    house = House(source("s", to=["a", "b"]), lane("a", to=[]), lane("b", to=[]))
    house.send("a", 1)
    house.send("b", 2)
    house.end("a")
    assert house.doorways.outlet is not None
    assert take(house.doorways.outlet) == [1, 2]
    house.end("b")
    with pytest.raises(EndOfChannel):
        house.doorways.outlet.receive_many_nowait(1)


def test_without_an_outlet_an_end_has_no_way_out() -> None:
    house = House(source("s"), lane("a"), outlet=False)
    assert (house.exits["a"], house.doorways.outlet) == ([], None)


def test_every_end_of_a_channel_is_there_for_a_cut() -> None:
    house = House(source("s"), lane("a"), lane("b"))
    assert len(house.ends) == 3


# --------------------------------------------------------------------------- who gets what


def test_items_are_dealt_in_turn_where_the_stage_says_so() -> None:
    house = House(source("s", to=["a", "b"], routing="round_robin"), lane("a", to=[]), lane("b"))
    house.send("s", 1, 2, 3)
    assert (house.take("a"), house.take("b")) == ([1, 3], [2])


def test_items_go_to_the_lane_with_the_least_to_do() -> None:
    house = House(source("s", to=["a", "b"], routing="least_loaded"), lane("a", to=[]), lane("b"))
    house.doorways.measure("a", Load(2))
    house.doorways.measure("b", Load(0))
    house.send("s", 1, 2, 3, 4)
    assert (house.take("a"), house.take("b")) == ([3], [1, 2, 4])


# --------------------------------------------------------------------------- loops


def looped() -> House:
    """s feeds a, a feeds b, b sends back to a, and c comes after."""
    return House(source("s"), lane("a"), lane("b", feedback="a", to="c"), lane("c"))


def test_a_stage_in_a_loop_knows_it() -> None:
    house = looped()
    loops = [house.doorways.loop_of(name) for name in ("a", "b", "c")]
    assert loops[0] is loops[1] is not None
    assert loops[2] is None


def test_what_is_sent_back_waits_beside_the_inbox() -> None:
    house = looped()
    house.send("b", *range(5000), way=1)  # the inbox holds 1000
    inbox = house.doorways.inbox_of("a")
    assert isinstance(inbox, LoopInbox)
    assert inbox.waiting == 5000


def test_what_goes_into_a_loop_and_round_it_is_counted_within() -> None:
    house = looped()
    loop = house.doorways.loop_of("a")
    assert loop is not None
    house.send("s", 1)
    house.send("a", 2)
    house.send("b", 3, way=1)
    house.end("s")
    loop.leave(2)
    assert not loop.over
    loop.leave(1)
    assert loop.over


def test_what_leaves_a_loop_is_not_counted() -> None:
    house = looped()
    loop = house.doorways.loop_of("a")
    assert loop is not None
    house.send("b", 1, way=0)
    house.end("s")
    assert loop.over


def test_a_stage_of_a_loop_does_not_keep_it_open() -> None:
    house = looped()
    house.end("s")
    assert house.ended("a")
    assert not house.ended("b")
    house.end("a")
    assert house.ended("b")


def test_a_way_in_that_closes_twice_counts_once() -> None:
    house = House(source("s"), source("t"), lane("a", feedback="a"))
    house.end("s")
    house.end("s")
    assert not house.ended("a")
    house.end("t")
    assert house.ended("a")


def test_a_stage_in_a_loop_that_keeps_items_hears_of_a_stall() -> None:
    house = House(source("s"), lane("a"), batch("b"), lane("c", feedback="a"))
    assert isinstance(house.doorways.inbox_of("b"), LoopInbox)
    assert isinstance(house.doorways.inbox_of("c"), Receiver)


# --------------------------------------------------------------------------- the outlet


@pytest.mark.parametrize(
    ("stages", "ready", "size"),
    [
        ([source("s"), lane("a")], (), 3000),
        ([source("s"), lane("a")], ("a",), 4000),
        ([source("s"), lane("a"), lane("b")], ("a",), 4000),
        ([source("s"), lane("a"), processor("b"), processor("c")], ("a",), 6000),
        ([source("s", queue_size=2), lane("a", queue_size=5), processor("b", queue_size=7)],
         ("a",), 18),
        ([source("s", chunk=1), lane("a")], (), 1002),
        ([source("s", queue_size=1), lane("a", queue_size=1)], (), 3),
    ],
    ids=["a queue", "a ready source", "two queues", "stages together", "small queues",
         "single items", "the smallest"],
)  # fmt: skip
def test_as_many_outputs_may_wait_as_items_where_there_is_no_queue(
    stages: list[DeclaredStage], ready: tuple[str, ...], size: int
) -> None:
    assert outlet_size(segments_of(stages), ready) == size
    doorways = Doorways(segments_of(stages), True, VirtualClock())
    assert doorways.outlet is not None
    in_outlet = doorways.outlet.statistics().capacity
    assert in_outlet + doorways.at_once == outlet_size(segments_of(stages))
    assert in_outlet >= doorways.at_once >= 1


@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_runs_further_ahead_of_who_takes_the_outputs_than_is_declared(workers: int) -> None:
    """All that may be anywhere between: queues, what workers have, and the outlet."""
    stages = [source("s"), lane("a", workers=workers), processor("b")]
    segments = segments_of(stages)
    doorways = Doorways(segments, True, VirtualClock())
    at_work, of_source = 2 * 1000 * workers, 2 * 1000
    waiting = sum(queue.statistics().capacity for queue in doorways.close())
    may_be = waiting + doorways.at_once + at_work
    declared = sum(stage.options.queue_size for stage in stages) + at_work + of_source
    assert may_be == declared
