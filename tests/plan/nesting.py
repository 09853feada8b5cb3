"""Pipelines within pipelines in a few words, for tests of whatever reads them."""

from __future__ import annotations

from typing import Any

from minigun_py.plan.graph import StageGraph
from minigun_py.plan.hooks import Hook
from minigun_py.plan.scope import Level, Nested, Scope
from minigun_py.plan.stage import DeclaredStage

__all__ = ["graph_of", "level_of", "nested", "scope_of"]

Member = DeclaredStage | Nested


def scope_of(*members: Member, hooks: tuple[Hook, ...] = (), **reroutes: Any) -> Scope:
    """A pipeline of these members, some of them rerouted."""
    return Scope({member.name: member for member in members}, reroutes, hooks)


def nested(name: str, *members: Member, to: Any = None, from_: Any = (), **more: Any) -> Nested:
    """The same as a member of another pipeline. What stands for it is its scope."""
    scope = scope_of(*members, **more)
    return Nested(name, scope, scope, None if to is None else tuple(to), tuple(from_))


def level_of(*members: Member) -> Level:
    """The tree of a pipeline, made ready for looking names up."""
    return Level(scope_of(*members))


def graph_of(*members: Member, **more: Any) -> StageGraph:
    """The graph of a pipeline."""
    return StageGraph(scope_of(*members, **more))
