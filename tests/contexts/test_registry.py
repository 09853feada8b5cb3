"""The registry knows every kind, by name and by what it can do."""

from __future__ import annotations

import pytest

from minigun_py.contexts import create_context, registry
from minigun_py.errors import UsageError
from minigun_py.placement import ContextKind

KINDS = list(ContextKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_created_and_is_new_each_time(kind: ContextKind) -> None:
    assert registry.create(kind) is not registry.create(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_traits_are_told_without_a_context(kind: ContextKind) -> None:
    assert registry.traits_of(kind) == registry.create(kind).traits


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_found_by_its_name(kind: ContextKind) -> None:
    assert registry.parse_kind(kind.value) is kind


@pytest.mark.parametrize("name", ["forks", "", "FORK", "process"])
def test_an_unknown_kind_is_refused_with_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=f"no kind of execution '{name}'.*inline, thread, fork"):
        create_context(name)


def test_a_context_without_a_name_has_that_of_its_kind() -> None:
    assert create_context("thread").name == "thread"
