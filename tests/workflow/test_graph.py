"""Names are looked for from the inside out, and sub-workflows stand as their steps."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py import UsageError, Workflow


def give(value: Any) -> Any:
    """A step that needs nothing."""
    return lambda: value


def cleaning() -> Workflow:
    wf = Workflow("clean")

    @wf.step
    def strip(rows: list[str]) -> list[str]:
        return [row.strip() for row in rows]

    @wf.step
    def lower(strip: list[str]) -> list[str]:
        return [row.lower() for row in strip]

    return wf


def test_a_parameter_is_a_step_or_an_input_whatever_is_declared_first() -> None:
    wf = Workflow("wf")
    wf.step(lambda one, two: (one, two), name="both")
    wf.step(give(1), name="one")
    assert wf.run(inputs={"two": 2})["both"].value == (1, 2)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({}, "its parameter 'two' is no step, and no input of that name is given"),
        ({"two": 2, "three": 3}, "no step takes an input 'three'"),
        ({"two": 2, "tow": 3}, "no step takes an input 'tow'; did you mean 'two'"),
        ({"two": 2, "one": 1}, "'one' is a step, which makes it itself, and no input"),
        (7, "inputs are arguments by name, not 7"),
    ],
)
def test_inputs_are_checked_before_anything_begins(inputs: Any, words: str) -> None:
    wf = Workflow("wf")
    ran: list[int] = []
    wf.step(lambda: ran.append(1), name="one")
    wf.step(lambda one, two: (one, two), name="both")
    with pytest.raises(UsageError, match=words):
        wf.run(inputs=inputs)
    assert ran == []


def test_a_misspelt_parameter_is_told_with_the_step_that_may_be_meant() -> None:
    wf = Workflow("wf")
    wf.step(give(1), name="download")
    wf.step(lambda downlod: downlod, name="parse")
    with pytest.raises(UsageError, match=r"is no step .did you mean 'download'"):
        wf.run()


def test_a_default_stands_for_an_input_that_is_not_given() -> None:
    wf = Workflow("wf")
    wf.step(lambda limit=7: limit, name="limited")
    assert wf.run()["limited"].value == 7
    assert wf.run(inputs={"limit": 3})["limited"].value == 3


def test_after_names_steps_by_name_or_function_and_must_know_them() -> None:
    wf = Workflow("wf")
    order: list[str] = []

    @wf.step(after="later")
    def last() -> None:
        order.append("last")

    @wf.step
    def first() -> None:
        order.append("first")

    @wf.step(after=[first])
    def later() -> None:
        order.append("later")

    assert wf.run().ok
    assert order == ["first", "later", "last"]
    wf.step(give(1), name="lost", after=["ferst"])
    for use in (wf.run, wf.plan, wf.to_mermaid):
        with pytest.raises(UsageError, match="there is no step 'ferst'; did you mean 'first'"):
            use()


def test_a_workflow_within_another_gives_the_result_of_its_last_step() -> None:
    wf = Workflow("wf")
    wf.step(give([" A", "B "]), name="read")
    wf.add(cleaning(), inputs={"rows": "read"})
    wf.step(lambda clean: ",".join(clean), name="join")
    results = wf.run()
    assert list(results) == ["read", "clean.strip", "clean.lower", "clean", "join"]
    assert results["join"].value == "a,b"
    assert results["clean.strip"].value == ["A", "B"]


def test_of_several_last_steps_it_gives_all_by_name() -> None:
    inner = Workflow("inner")
    inner.step(give(1), name="a")
    inner.step(lambda a: a + 1, name="b")
    inner.step(lambda a: a + 2, name="c")
    wf = Workflow("wf")
    wf.add(inner, name="part")
    assert wf.run()["part"].value == {"b": 2, "c": 3}


def test_names_are_looked_for_around_a_workflow_and_last_among_the_inputs() -> None:
    innermost = Workflow("innermost")
    innermost.step(lambda near, far, given: (near, far, given), name="all")
    inner = Workflow("inner")
    inner.step(give("near"), name="near")
    inner.add(innermost)
    wf = Workflow("wf")
    wf.step(give("far"), name="far")
    wf.add(inner)
    results = wf.run(inputs={"given": "given"})
    assert results["inner.innermost.all"].value == ("near", "far", "given")
    assert results["inner"].value == ("near", "far", "given")


def test_one_workflow_may_be_a_part_twice() -> None:
    wf = Workflow("wf")
    part = cleaning()
    wf.add(part, name="left", inputs={"rows": "old"})
    wf.add(part, name="right", inputs={"rows": "new"})
    results = wf.run(inputs={"old": ["A "], "new": ["B "]})
    assert (results["left"].value, results["right"].value) == (["a"], ["b"])


def test_all_steps_of_a_part_wait_for_what_it_comes_after() -> None:
    order: list[str] = []
    inner = Workflow("inner")
    inner.step(lambda: order.append("inner"), name="one")
    wf = Workflow("wf")
    wf.add(inner, after="before")
    wf.step(lambda: order.append("before"), name="before")
    wf.step(lambda: order.append("after"), name="last", after="inner")
    assert wf.run().ok
    assert order == ["before", "inner", "after"]


def test_a_part_after_a_step_that_is_not_there_is_refused() -> None:
    wf = Workflow("wf")
    wf.add(cleaning(), after="nobody")
    with pytest.raises(UsageError, match="workflow 'clean': there is no step 'nobody'"):
        wf.run(inputs={"rows": []})


def test_a_cycle_through_a_part_is_found() -> None:
    wf = Workflow("wf")
    wf.add(cleaning(), inputs={"rows": "read"})
    with pytest.raises(UsageError, match="cycle"):
        wf.step(lambda clean: clean, name="read")
    wf.step(lambda clean: clean, name="rows")
    other = Workflow("other")
    other.add(cleaning())
    other.step(lambda clean: clean, name="rows")
    with pytest.raises(UsageError, match=r"cycle: clean.strip -> clean.lower -> clean -> rows"):
        other.plan()


def test_an_empty_part_gives_nothing() -> None:
    wf = Workflow("wf")
    wf.add(Workflow("empty"))
    assert wf.run()["empty"].value == {}
    assert Workflow("none").run().ok
