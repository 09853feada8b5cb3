"""The stages of one pipeline as they were declared, with the pipelines among them.

A `Scope` is what a pipeline hands to the plan. It is a tree: a member is a stage, or another scope
with a name of its own. `Level` is the same tree made ready for looking names up: every stage has a
path, as ``clean.strip``, by which it is known from here on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from minigun_py.errors import UsageError
from minigun_py.plan.hooks import Hook
from minigun_py.plan.options import Reference, nearest
from minigun_py.plan.stage import DeclaredStage
from minigun_py.record import field, record, replace

__all__ = ["Level", "Nested", "Scope"]


@record
class Scope:
    """The members of a pipeline, by name, in order of definition."""

    members: Mapping[str, DeclaredStage | Nested]
    reroutes: Mapping[str, tuple[Reference, ...]] = field(default_factory=dict)
    """By stage, the targets that replace those it has."""
    hooks: tuple[Hook, ...] = ()


@record(eq=False)
class Nested:
    """A pipeline that is a member of another."""

    name: str
    scope: Scope
    origin: object
    """The pipeline itself: one way to refer to it."""
    to: tuple[Reference, ...] | None = None
    from_: tuple[Reference, ...] = ()
    location: str = ""

    def __str__(self) -> str:
        where = f" ({self.location})" if self.location else ""
        return f"pipeline {self.name!r}{where}"


class Level:
    """One pipeline of the tree: its members by local name, as paths of stages or levels below."""

    def __init__(self, scope: Scope, path: str = "", above: Level | None = None) -> None:
        self.scope, self.path, self.above = scope, path, above
        self.members: dict[str, str | Level] = {}
        self.stages: dict[str, DeclaredStage] = {}
        """The stages of this level alone, by path."""
        self._by_object: dict[Any, list[str]] | None = None
        prefix = f"{path}." if path else ""
        for name, member in scope.members.items():
            if isinstance(member, Nested):
                self.members[name] = Level(member.scope, prefix + name, self)
            else:
                self.members[name] = prefix + name
                self.stages[prefix + name] = replace(member, name=prefix + name) if path else member

    def levels(self) -> Iterator[Level]:
        """This level and all below, those below first."""
        for below in self.below():
            yield from below.levels()
        yield self

    def below(self) -> Iterator[Level]:
        """The levels right below."""
        return (member for member in self.members.values() if isinstance(member, Level))

    def all_stages(self) -> Iterator[tuple[str, DeclaredStage]]:
        """Every stage by path, in order of definition."""
        for member in self.members.values():
            if isinstance(member, Level):
                yield from member.all_stages()
            else:
                yield member, self.stages[member]

    def resolve(self, reference: Reference, asking: object) -> str | Level:
        """What a name, a function, a stage or a pipeline refers to, seen from this level.

        A member of the same pipeline comes first, then what is below it, then a path; what the
        pipelines around have to offer comes after.

        Raises:
            UsageError: There is no such stage, or more than one.
        """
        level: Level | None = self
        while level is not None:
            found = level._find(reference, asking)  # noqa: SLF001 - of its own class
            if found is not None:
                return found
            level = level.above
        name = _name_of(reference)
        raise UsageError(f"{asking}: there is no stage {name!r}{nearest(name, self._known())}")

    def _find(self, reference: Reference, asking: object) -> str | Level | None:
        found = self._here(reference) or [
            deeper
            for level in self.below()
            for below in level.levels()
            for deeper in below._here(reference)  # noqa: SLF001 - of its own class
        ]
        if len(found) > 1:
            places = " or ".join(repr(_path_of(place)) for place in found)
            name = _name_of(reference)
            raise UsageError(f"{asking}: {name!r} is ambiguous: it may be {places}; give the path")
        if found:
            return found[0]
        return self._at_path(reference) if isinstance(reference, str) else None

    def _here(self, reference: Any) -> list[str | Level]:
        """The members that a reference means."""
        if isinstance(reference, str):
            names = [reference] if reference in self.members else []
        elif isinstance(reference, DeclaredStage):
            member = self.scope.members.get(reference.name)
            names = [] if member is None or not _is(member, reference) else [reference.name]
        else:
            names = self._of_object(reference)
        return [self.members[name] for name in names]

    def _of_object(self, reference: Any) -> list[str]:
        """The names of the members with this function, or with this pipeline."""
        if self._by_object is None:
            self._by_object = {}
            for name, member in self.scope.members.items():
                origin = _origin(member)
                if origin is not None:
                    key = origin if _is_hashable(origin) else None
                    self._by_object.setdefault(key, []).append(name)
        candidates = self._by_object.get(reference, []) if _is_hashable(reference) else []
        unhashable = self._by_object.get(None, [])
        return [
            name
            for name in dict.fromkeys((*candidates, *unhashable))
            if _is(self.scope.members[name], reference)
        ]

    def _at_path(self, path: str) -> str | Level | None:
        found: str | Level = self
        for name in path.split("."):
            if not isinstance(found, Level) or name not in found.members:
                return None
            found = found.members[name]
        return found

    def _known(self) -> list[str]:
        top = self
        while top.above is not None:
            top = top.above
        known = dict.fromkeys(self.members)
        for level in top.levels():
            known |= dict.fromkeys(level.members)
            known |= dict.fromkeys(level.stages)
        return list(known)


def _is(member: DeclaredStage | Nested, reference: Any) -> bool:
    """Whether a member is what a reference that is no name means."""
    if isinstance(member, Nested):
        return member.origin is reference
    function = member.user_function
    if isinstance(reference, DeclaredStage):  # or what it was before its options were changed
        return member.name == reference.name and function is reference.user_function
    return callable(function) and function == reference  # no array: that compares oddly


def _origin(member: DeclaredStage | Nested) -> Any:
    """What a program may call a member by, besides its name."""
    return member.origin if isinstance(member, Nested) else member.user_function


def _is_hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def _name_of(reference: Reference) -> str:
    if isinstance(reference, str):
        return reference
    name = getattr(reference, "name", None) or getattr(reference, "__name__", None)
    return str(name or repr(reference))


def _path_of(found: str | Level) -> str:
    return found.path if isinstance(found, Level) else found
