"""A step is read from its function; what makes no sense is refused where it is said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from minigun_py import UsageError, Workflow


def step(function: Callable[..., Any], **options: Any) -> None:
    Workflow("wf").step(function, **options)


def plain(rows: object) -> object:
    return rows


def yields() -> Any:
    yield 1


@pytest.mark.parametrize(
    ("declare", "words"),
    [
        (lambda: step(7), "a step is a function, not 7"),  # type: ignore[arg-type]
        (lambda: step(plain, name="two words"), "made of letters, digits, - and _"),
        (lambda: step(plain, name="a.b"), "made of letters"),
        (lambda: step(lambda *rows: rows, name="all"), "by name, which \\*rows cannot be"),
        (lambda: step(lambda **rows: rows, name="all"), "by name, which \\*\\*rows cannot be"),
        (lambda: step(yields), "it yields, and a step returns its result"),
        (lambda: step(plain, resource=1), "no option 'resource'; did you mean 'resources'"),
        (lambda: step(plain, cache=1), "cache is True or False, not 1"),
        (lambda: step(plain, timeout=-1), "timeout"),
        (lambda: step(plain, retry="often"), "retry"),
        (lambda: step(plain, execution="gpu"), "no kind of execution 'gpu'"),
        (lambda: step(plain, each="row"), "it has no parameter 'row'; did you mean 'rows'"),
        (lambda: step(plain, each=7), "each is the name of a step whose result is a list"),
        (lambda: step(plain, each={"rows": 3}), "each is the name of a step"),
        (lambda: step(plain, when=yields), "when is a plain function that returns"),
        (lambda: step(plain, when=3), "when is a function"),
        (lambda: step(plain, limits=7), "limits are names, or numbers by name"),
        (lambda: step(plain, limits={"db": 0}), "limit 'db'"),
        (lambda: step(plain, after=plain), "there is no step with this function"),
        (lambda: step(plain, after=3), "there is no step with this function: 3"),
        (lambda: Workflow("a b"), "the name of a workflow"),
        (lambda: Workflow("w", limits=["db"]), "limits are numbers by name"),  # type: ignore[arg-type]
        (lambda: Workflow("w").add(plain), "add takes a Workflow"),  # type: ignore[arg-type]
        (lambda: Workflow("w").cleanup("nobody"), "there is no step 'nobody' to clean up after"),
    ],
)
def test_what_makes_no_sense_is_refused(declare: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        declare()


def test_an_error_names_the_step_and_where_it_was_written() -> None:
    with pytest.raises(UsageError, match=r"step 'plain' \(.*test_declaring\.py:\d+\)"):
        step(plain, cache=1)


def test_a_name_is_taken_once() -> None:
    wf = Workflow("wf")
    wf.step(plain)
    with pytest.raises(UsageError, match="the name is taken by step 'plain'"):
        wf.step(plain)
    with pytest.raises(UsageError, match="the name is taken"):
        wf.add(Workflow("plain"))


def test_a_step_that_closes_a_cycle_is_refused_at_once_with_the_way_round() -> None:
    wf = Workflow("wf")
    wf.step(lambda last: last, name="first")
    wf.step(lambda first: first, name="middle")
    with pytest.raises(UsageError, match="in a cycle: last -> first -> middle -> last"):
        wf.step(lambda: 1, name="last", after="middle")
    assert wf.run(inputs={"last": 1})["middle"].value == 1


@pytest.mark.parametrize("options", [{"after": "own"}, {"when": lambda own: own}])
def test_a_step_cannot_wait_for_itself(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="in a cycle: own -> own"):
        step(lambda: 1, name="own", **options)


def test_a_workflow_cannot_be_a_part_of_itself() -> None:
    outer, inner = Workflow("outer"), Workflow("inner")
    outer.add(inner)
    with pytest.raises(UsageError, match="cannot be a part of itself"):
        inner.add(outer)


def test_the_decorator_returns_the_function_as_it_is() -> None:
    wf = Workflow("wf")
    assert wf.step(plain) is plain
    assert wf.step(name="other")(plain) is plain
    assert wf.cleanup("other")(plain) is plain
    with pytest.raises(UsageError, match="has a cleanup already"):
        wf.cleanup("other", plain)


def test_a_cleanup_that_is_refused_is_none() -> None:
    wf = Workflow("wf")
    wf.step(lambda: 1, name="one")
    for wrong in (lambda *all_of_it: None, yields):
        with pytest.raises(UsageError, match="the cleanup of step 'one'"):
            wf.cleanup("one", wrong)
    wf.cleanup("one", lambda one: None)
    assert wf.run().ok


def test_a_callable_without_a_name_needs_one() -> None:
    class Once:
        def __call__(self) -> int:
            return 1

    with pytest.raises(UsageError, match="give it one with name="):
        step(Once())
    wf = Workflow("wf")
    wf.step(Once(), name="once")
    assert wf.run().values == {"once": 1}
