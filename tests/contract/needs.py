"""Tests of the contract that only some kinds can be asked to pass.

A test that needs something a kind does not have is no test of that kind: it is left out of the
class, rather than skipped at every run. What the kind does instead has a test of its own.
"""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Contract", "needs"]

F = TypeVar("F", bound=Callable[..., object])


def needs(ability: str) -> Callable[[F], F]:
    """Mark a test for kinds with this ability: a field of their traits or of the test class.

    "not " before it marks the test for the others.
    """

    def mark(test: F) -> F:
        test.needs = [*getattr(test, "needs", ()), ability]  # type: ignore[attr-defined]
        return test

    return mark


class Contract:
    """Base of a suite. A subclass names its kind and traits and keeps the tests that apply."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        traits = getattr(cls, "traits", None)
        if traits is None:
            return
        for name in dir(cls):
            abilities = getattr(getattr(cls, name), "needs", ())
            if not all(_has(cls, ability) for ability in abilities):
                setattr(cls, name, None)


def _has(cls: type, ability: str) -> bool:
    wanted, ability = not ability.startswith("not "), ability.removeprefix("not ")
    traits = cls.traits  # type: ignore[attr-defined]
    return bool(getattr(traits, ability, getattr(cls, ability, False))) == wanted
