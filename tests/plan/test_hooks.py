"""A hook is a plain function that takes what its kind gives, and is called in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from minigun_py.errors import UsageError
from minigun_py.plan.hooks import HOOKS, STAGE_HOOKS, Hook, Hooks, checked_hook, takes_argument


def nothing() -> None: ...


def one(argument: object) -> None: ...


def at_most_one(argument: object = None) -> None: ...


def any_number(*arguments: object) -> None: ...


def two(first: object, second: object) -> None: ...


def refusal(kind: str, function: Any, bound: bool = True) -> str:
    with pytest.raises(UsageError) as raised:
        checked_hook(kind, function, bound=bound)
    return str(raised.value)


@pytest.mark.parametrize("kind", [*HOOKS[:4], *STAGE_HOOKS])
def test_a_hook_takes_nothing(kind: str) -> None:
    assert checked_hook(kind, nothing) == Hook(kind, nothing)


@pytest.mark.parametrize("kind", ["before_run", "before_fork", "after_fork", "before", "after"])
def test_a_hook_that_wants_something_is_refused(kind: str) -> None:
    assert "it takes no parameter, and not (argument" in refusal(kind, one)


@pytest.mark.parametrize("function", [nothing, one, at_most_one, any_number])
def test_after_a_run_a_hook_takes_the_report_or_nothing(function: Callable[..., None]) -> None:
    checked_hook("after_run", function)


def test_after_a_run_there_is_nothing_else_to_take() -> None:
    assert "it takes the report or nothing, and not" in refusal("after_run", two)


@pytest.mark.parametrize("function", [one, at_most_one, any_number])
def test_a_hook_of_failures_takes_the_failed_item(function: Callable[..., None]) -> None:
    checked_hook("on_failure", function)


@pytest.mark.parametrize("function", [nothing, two])
def test_a_hook_of_failures_that_does_not_is_refused(function: Callable[..., None]) -> None:
    assert "it takes the failed item, and not" in refusal("on_failure", function)


def test_a_method_that_is_not_bound_yet_takes_its_instance_besides() -> None:
    checked_hook("before_run", one, bound=False)
    checked_hook("on_failure", two, bound=False)


def test_a_method_without_an_instance_is_refused() -> None:
    assert "it takes no parameter" in refusal("before_run", nothing, bound=False)


def test_a_generator_is_no_hook() -> None:
    def several() -> Iterator[int]:
        yield 1

    assert "a hook is a plain function that returns, and not a generator" in refusal(
        "before_run", several
    )


def test_a_coroutine_function_is_no_hook() -> None:
    async def later() -> None: ...

    assert "and not a coroutine function" in refusal("after_run", later)


def test_what_cannot_be_called_is_no_hook() -> None:
    assert "a hook is a function, not 3" in refusal("before_run", 3)


def test_a_refused_hook_is_told_with_its_file_and_line() -> None:
    line = one.__code__.co_firstlineno
    assert refusal("before_run", one).startswith(f"hook before_run ({__file__}:{line}):")


def test_what_does_not_tell_its_signature_may_be_a_hook() -> None:
    def secret() -> None: ...

    secret.__signature__ = "none of your business"  # type: ignore[attr-defined]
    assert checked_hook("on_failure", secret).function is secret


def test_hooks_of_a_kind_come_in_order_of_definition() -> None:
    hooks = Hooks([Hook("before_run", one), Hook("after_run", two), Hook("before_run", nothing)])
    assert hooks.of("before_run") == (one, nothing)


def test_hooks_of_a_stage_are_for_it_alone() -> None:
    hooks = Hooks([Hook("before", one, "a"), Hook("before", two, "b"), Hook("after", nothing, "a")])
    assert hooks.of_stage("before", "a") == (one,)


def test_no_hooks_are_false() -> None:
    assert not Hooks()
    assert Hooks([Hook("before_run", nothing)])


@pytest.mark.parametrize(
    ("function", "takes"), [(nothing, False), (one, True), (at_most_one, True), (two, False)]
)
def test_it_is_known_whether_a_hook_takes_something(
    function: Callable[..., None], takes: bool
) -> None:
    assert takes_argument(function) is takes
