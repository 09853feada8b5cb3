"""What may help is told by the type of an error, the nearest first."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py import UsageError, register_suggestion, suggestions
from minigun_py.errors import ItemTimedOut, NotPicklable, WorkerDied
from minigun_py.suggestions import suggestions_for


class Broken(OSError):
    """An error of a user."""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone with it."""
    monkeypatch.setattr(suggestions, "_KNOWN", dict(suggestions._KNOWN))


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(), ConnectionResetError(), ItemTimedOut(1), WorkerDied("x"), NotPicklable()],
    ids=lambda error: type(error).__name__,
)
def test_there_is_something_to_say_about_usual_errors(error: Exception) -> None:
    assert len(suggestions_for(error)) == 1


def test_there_is_nothing_to_say_about_others() -> None:
    assert suggestions_for(Broken()) == suggestions_for(ValueError()) == ()


def test_what_was_registered_last_and_for_the_nearest_type_is_told_first() -> None:
    register_suggestion(OSError, "look at the disk")
    register_suggestion(Broken, "mend it")
    register_suggestion(Broken, lambda error: f"ask about {error}")
    register_suggestion(Exception, "look at the disk")
    assert suggestions_for(Broken("this")) == ("ask about this", "mend it", "look at the disk")
    assert suggestions_for(OSError()) == ("look at the disk",)


def test_advice_that_fails_is_none() -> None:
    register_suggestion(Broken, lambda error: error.nothing)
    assert suggestions_for(Broken()) == ()


@pytest.mark.parametrize(("kind", "said"), [(int, "text"), ("OSError", "text"), (OSError, 5)])
def test_what_makes_no_sense_is_refused(kind: Any, said: Any) -> None:
    with pytest.raises(UsageError, match="register_suggestion"):
        register_suggestion(kind, said)
