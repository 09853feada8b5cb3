"""The registry knows every kind, by name and by what it can do."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py.contexts import ContextPool, create_context, registry
from minigun_py.errors import UsageError
from minigun_py.placement import ALIASES, LATER_KINDS, ContextKind

KINDS = list(ContextKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_created_and_is_new_each_time(kind: ContextKind) -> None:
    assert registry.create(kind) is not registry.create(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_traits_are_told_without_a_context(kind: ContextKind) -> None:
    assert registry.traits_of(kind) == registry.create(kind).traits


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_found_by_its_name(kind: ContextKind) -> None:
    assert create_context(kind.value).kind is kind


@pytest.mark.parametrize(("alias", "kind"), ALIASES.items())
def test_a_kind_is_found_by_its_name_in_ruby(alias: str, kind: ContextKind) -> None:
    assert create_context(alias).kind is kind


@pytest.mark.parametrize("make", [create_context, lambda kind: ContextPool(kind, 1)])
@pytest.mark.parametrize("name", ["", "FORK", "warp"])
def test_an_unknown_kind_is_refused_with_those_there_are(make: Any, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        make(name)
    there_are = ", ".join(KINDS)
    assert str(refused.value) == f"no kind of execution {name!r}; there are {there_are}"


@pytest.mark.parametrize(("name", "meant"), [("forks", "fork"), ("thred", "thread")])
def test_a_kind_that_is_spelled_wrong_is_refused_with_what_is_meant(name: str, meant: str) -> None:
    with pytest.raises(UsageError) as refused:
        create_context(name)
    assert str(refused.value) == f"no kind of execution {name!r}; did you mean {meant!r}?"


@pytest.mark.parametrize("name", sorted(LATER_KINDS))
def test_a_kind_of_a_later_version_is_refused_by_name(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' is not available in this version"):
        create_context(name)


@pytest.mark.parametrize("kind", KINDS)
def test_an_obstacle_is_told_in_words_or_there_is_none(kind: ContextKind) -> None:
    obstacle = registry.obstacle_to(kind)
    assert obstacle is None or " " in obstacle


@pytest.mark.parametrize("kind", [ContextKind.INLINE, ContextKind.THREAD, ContextKind.ASYNC])
def test_what_runs_in_this_process_runs_everywhere(kind: ContextKind) -> None:
    assert registry.obstacle_to(kind) is None


def test_a_context_without_a_name_has_that_of_its_kind() -> None:
    assert create_context("thread").name == "thread"
