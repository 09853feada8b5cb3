"""What a function assigns to outside of itself is found in its code, wherever it is wrapped."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

from minigun_py.plan.assignments import assigned_elsewhere

TOTAL = 0


def passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator as most are."""

    @functools.wraps(function)
    def wrapper(*args: Any) -> Any:
        return function(*args)

    return wrapper


def test_a_function_that_assigns_to_nothing_outside_is_clean() -> None:
    def parse(item: Any) -> Any:
        item.seen = True
        mine = TOTAL

        def inner() -> None:
            nonlocal mine
            mine += 1

        inner()
        return mine

    assert assigned_elsewhere(parse) == ()


def test_an_assignment_to_a_global_is_found_at_any_depth() -> None:
    def parse(item: Any) -> Any:
        def inner() -> None:
            global TOTAL  # noqa: PLW0603
            TOTAL += item

        return inner

    assert assigned_elsewhere(parse) == ("global TOTAL",)


def test_the_deletion_of_a_global_is_found() -> None:
    def parse(item: Any) -> None:
        global TOTAL  # noqa: PLW0603
        del TOTAL

    assert assigned_elsewhere(parse) == ("global TOTAL",)


def test_an_assignment_to_a_nonlocal_is_found_at_any_depth() -> None:
    count = total = 0

    def parse(item: Any) -> Any:
        nonlocal count
        count += 1

        def inner() -> None:
            nonlocal total
            total = count

        return inner

    assert assigned_elsewhere(parse) == ("nonlocal count", "nonlocal total")


def test_a_local_of_the_same_name_in_between_is_no_nonlocal() -> None:
    count = 0

    def parse(item: Any) -> Any:
        def middle() -> Any:
            count = 1

            def inner() -> None:
                nonlocal count
                count = 2

            return inner

        return count, middle

    assert assigned_elsewhere(parse) == ()


class Counter:
    """Assigns to itself in every way there is."""

    last: Any
    child: Any
    seen: Any

    def plain(self, item: Any) -> None:
        self.last = item

    def added(self, item: Any) -> None:
        self.last += item.last + (1 if item else self.other(item))

    def from_call(this, item: Any) -> None:
        value = item()
        this.last = value

    def unpacked(self, item: Any) -> None:
        self.first, self.rest = item

    def looped(self, item: Any) -> None:
        for self.last in item:
            pass

    def opened(self, item: Any) -> None:
        with item as self.last:
            pass

    def deleted(self, item: Any) -> None:
        del self.last

    def nested(self, item: Any) -> Any:
        def inner() -> None:
            self.last = item

        return inner

    def captured(self, item: Any) -> Any:
        self.last -= 1
        return lambda: self

    def other(self, item: Any) -> Any:
        return self.last, item

    def inner_object(self, item: Any) -> None:
        self.child.last = item
        self.seen[item] = 1
        item.last += 1

    @classmethod
    def shared(cls, item: Any) -> None:
        cls.last = item

    @passed_on
    def decorated(self, item: Any) -> None:
        self.last = item

    def __call__(self, item: Any) -> None:
        self.last = self.last or item


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("plain", ("self.last",)),
        ("added", ("self.last",)),
        ("from_call", ("this.last",)),
        ("unpacked", ("self.first", "self.rest")),
        ("looped", ("self.last",)),
        ("opened", ("self.last",)),
        ("deleted", ("self.last",)),
        ("nested", ("self.last",)),
        ("captured", ("self.last",)),
        ("shared", ("cls.last",)),
        ("decorated", ("self.last",)),
        ("__call__", ("self.last",)),
        ("other", ()),
        ("inner_object", ()),
    ],
)
def test_an_assignment_of_a_method_to_its_object_is_found(
    method: str, expected: tuple[str, ...]
) -> None:
    assert assigned_elsewhere(getattr(Counter(), method)) == expected


def test_a_callable_object_is_what_its_call_does() -> None:
    assert assigned_elsewhere(Counter()) == ("self.last",)


def test_without_an_object_the_first_parameter_is_the_item() -> None:
    assert assigned_elsewhere(Counter.plain) == ()


def test_partials_decorators_and_caches_are_looked_behind() -> None:
    def parse(item: Any) -> None:
        global TOTAL  # noqa: PLW0603
        TOTAL = item

    decorated = passed_on(functools.cache(functools.partial(parse)))
    assert assigned_elsewhere(functools.partial(decorated)) == ("global TOTAL",)


def test_what_a_decorator_itself_assigns_is_found_too() -> None:
    calls = 0

    def parse(item: Any) -> Any:
        return item

    @functools.wraps(parse)
    def counted(item: Any) -> Any:
        nonlocal calls
        calls += 1
        return parse(item)

    assert assigned_elsewhere(counted) == ("nonlocal calls",)


def test_a_decorator_that_wraps_itself_has_an_end() -> None:
    def parse(item: Any) -> Any:
        return item

    vars(parse)["__wrapped__"] = parse
    assert assigned_elsewhere(parse) == ()


@pytest.mark.parametrize("function", [len, print, int, "text".upper, functools.partial(max, 1)])
def test_what_is_not_written_in_python_assigns_to_nothing(function: Callable[..., Any]) -> None:
    assert assigned_elsewhere(function) == ()
