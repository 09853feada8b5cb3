"""Planning and running cost in proportion to the stages, whatever their shape.

Instructions are counted, not seconds, and compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minigun_py import Pipeline, To
from support.effort import instructions

FEW, MANY, MOST = 120, 1_200, 10_000
FACTOR = 15
"""How much more ten times as many may take: in proportion it is 10, by every pair it is 100."""


def step(number: int) -> int:
    return number + 1


def several(number: int) -> Iterator[int]:
    yield number


def chain(count: int) -> Pipeline:
    """Each stage feeds the next."""
    pipe = Pipeline("chain")
    pipe.source([0])
    for n in range(count):
        pipe.processor(step, name=f"s{n}")
    return pipe


def generators(count: int) -> Pipeline:
    """Each stage feeds the next, as a generator."""
    pipe = Pipeline("generators")
    pipe.source([0])
    for n in range(count):
        pipe.processor(several, name=f"s{n}")
    return pipe


def fan_out(count: int) -> Pipeline:
    """One feeds all others, and these one more."""
    pipe = Pipeline("fan")
    pipe.source([0], to=[f"s{n}" for n in range(count)])
    for n in range(count):
        pipe.processor(step, name=f"s{n}")
    pipe.consumer(step, name="end")
    return pipe


def named_backwards(count: int) -> Pipeline:
    """Each is named by a function, and defined before the one that names it."""
    pipe = Pipeline("backwards")
    functions: list[Callable[[int], int]] = [lambda n: n for _ in range(count)]
    for n in reversed(range(count)):
        after = functions[n + 1 : n + 2]
        pipe.processor(functions[n], name=f"s{n}", to=after)
    pipe.source([0], to="s0")
    return pipe


def routed(count: int) -> Pipeline:
    """Every third stage sends to one of the two after it, and both feed the next."""
    pipe = Pipeline("routed")
    pipe.source([0], to="a0")
    for n in range(0, count, 3):
        following = [f"a{n + 3}"] if n + 3 < count else []
        sends: Any = lambda number, n=n: To(f"b{n}", number)  # noqa: E731 - one for each
        pipe.processor(sends, name=f"a{n}", routes=[f"b{n}", f"c{n}"])
        pipe.processor(step, name=f"b{n}", to=following)
        pipe.processor(step, name=f"c{n}", to=following)
    return pipe


def loops(count: int) -> Pipeline:
    """Every second stage sends back to the one before it."""
    pipe = Pipeline("loops")
    pipe.source([0])
    for n in range(0, count, 2):
        pipe.processor(step, name=f"a{n}")
        pipe.processor(step, name=f"b{n}", feedback=f"a{n}")
    return pipe


def nested(count: int) -> Pipeline:
    """Pipelines within one, each of ten stages in a chain."""
    pipe = Pipeline("nested")
    pipe.source([0])
    for n in range(count // 10):
        with pipe.pipeline(f"p{n}") as inner:
            for m in range(10):
                inner.processor(step, name=f"s{m}")
    return pipe


@pytest.mark.parametrize(
    "shape", [chain, generators, fan_out, named_backwards, routed, loops, nested]
)
def test_planning_is_work_in_proportion_to_the_stages(shape: Callable[[int], Pipeline]) -> None:
    shape(FEW).plan()  # whatever is imported or compiled but once
    few, many = shape(FEW), shape(MANY)
    assert instructions(many.plan) < FACTOR * instructions(few.plan)


def test_ten_thousand_stages_are_planned_and_give_the_right_result() -> None:
    assert chain(MOST).collect() == [MOST]


def test_a_run_that_fans_out_to_a_thousand_stages_joins_what_they_give() -> None:
    assert fan_out(1_000).collect() == [2] * 1_000
