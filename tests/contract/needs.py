"""Tests of the contract that only some kinds can be asked to pass.

A test that needs something a kind does not have is no test of that kind: it is left out of the
class, rather than skipped at every run. What the kind does instead has a test of its own.
"""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Contract", "needs"]

F = TypeVar("F", bound=Callable[..., object])


def needs(ability: str) -> Callable[[F], F]:
    """Mark a test for kinds with this ability: a field of their traits, or of the test class."""

    def mark(test: F) -> F:
        test.needs = ability  # type: ignore[attr-defined]
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
            ability = getattr(getattr(cls, name), "needs", None)
            if ability and not getattr(traits, ability, getattr(cls, ability, False)):
                setattr(cls, name, None)
