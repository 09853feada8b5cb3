"""Who feeds whom, worked out from what the stages say and from the order of their definition.

Explicit edges come from ``to`` and ``from_``. A producer or processor without ``to`` feeds the
next member of its pipeline that is no producer, no sibling of its own, and not named only in
``routes`` or ``dead_letter``; so every branch of a fan-out joins what comes after it. A pipeline
within a pipeline takes part as one member: its *entries* are fed, and what its *exits* emit flows
on.

Levels are wired from the inside out, an edge at the innermost level that holds both of its ends.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from minigun_py.errors import UsageError
from minigun_py.plan.options import Reference
from minigun_py.plan.scope import Level, Nested
from minigun_py.plan.stage import Consumer, DeclaredStage, Producer
from minigun_py.record import field, record

__all__ = ["Route", "Wires", "names_of", "wire"]


@record
class Route:
    """Where a stage may send with ``To``: by which references, and to which stages."""

    references: tuple[Reference, ...]
    targets: tuple[str, ...]
    feedback: bool = False


@record(frozen=False)
class Wires:
    """Edges by the path of the stage that they leave."""

    static: dict[str, dict[str, float]] = field(default_factory=dict)
    """Targets, each with the turn in which it was named; the first comes first."""
    routes: dict[str, list[Route]] = field(default_factory=dict)
    dead_letters: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Where the failed items of a stage go."""
    rerouted: bool = False

    def connect(self, source: str, target: str, turn: float) -> None:
        """Add an edge; one that is there stays as it is."""
        self.static.setdefault(source, {}).setdefault(target, turn)

    def sort(self) -> None:
        """Put the targets of each stage in the order in which they were named."""
        for source, targets in self.static.items():
            self.static[source] = dict(sorted(targets.items(), key=lambda target: target[1]))


def wire(top: Level) -> Wires:
    """The edges of a pipeline. Raises `UsageError` for what is named and is not there."""
    return _Wiring(top).wires


@record
class _Pair:
    """An explicit edge between two ends, each a stage or a level."""

    turn: int
    asking: DeclaredStage | Nested
    source: str | Level
    target: str | Level


class _Wiring:
    def __init__(self, top: Level) -> None:
        self.wires = Wires()
        self._stages = dict(top.all_stages())
        self._home = {path: level for level in top.levels() for path in level.stages}
        self._pairs: dict[Level, list[_Pair]] = {}
        self._explicit: set[str | Level] = set()  # targets of `to`, and what says `from_`
        self._routed: set[str | Level] = set()
        self._routes: dict[str, list[tuple[Reference, str | Level, bool]]] = {}
        self._dead_letters: dict[str, str | Level] = {}
        self._says_to: set[str | Level] = set()
        self._turns = itertools.count()
        self._cut_off: dict[str, set[str]] = {}  # targets that a reroute has replaced
        for level in top.levels():
            self._read(level)
        for level in top.levels():
            self._connect(level)
        self._settle_routes()
        self.wires.sort()

    # ------------------------------------------------------------- what is said

    def _read(self, level: Level) -> None:
        for name, member in level.members.items():
            said = level.scope.members[name]
            to, from_ = (
                (said.to, said.from_)
                if isinstance(said, Nested)
                else (said.options.to, said.options.from_)
            )
            asking = said if isinstance(said, Nested) else level.stages[str(member)]
            if to is not None:
                self._says_to.add(member)
            for reference in to or ():
                target = level.resolve(reference, asking)
                self._pair(_Pair(next(self._turns), asking, member, target))
            for reference in from_:
                source = level.resolve(reference, asking)
                self._pair(_Pair(next(self._turns), asking, source, member))
            if isinstance(asking, DeclaredStage):
                self._read_routes(level, asking)

    def _read_routes(self, level: Level, stage: DeclaredStage) -> None:
        said = stage.options
        for references, feedback in ((said.routes, False), (said.feedback, True)):
            for reference in references:
                target = level.resolve(reference, stage)
                self._routes.setdefault(stage.name, []).append((reference, target, feedback))
                if not feedback:
                    self._routed.add(target)
        if said.dead_letter is not None:
            target = level.resolve(said.dead_letter, stage)
            self._dead_letters[stage.name] = target
            self._routed.add(target)

    def _pair(self, pair: _Pair) -> None:
        self._explicit.add(pair.target)
        self._pairs.setdefault(self._common(pair), []).append(pair)

    def _common(self, pair: _Pair) -> Level:
        """The innermost level that holds both ends."""
        above = set(self._around(pair.source))
        return next(level for level in self._around(pair.target) if level in above)

    def _around(self, end: str | Level) -> Iterator[Level]:
        level = end.above if isinstance(end, Level) else self._home[end]
        while level is not None:
            yield level
            level = level.above

    # ------------------------------------------------------------- edges of one level

    def _connect(self, level: Level) -> None:
        order = list(level.members.values())
        place = {member: position for position, member in enumerate(order)}
        fans: dict[int, set[int]] = {}
        for pair in self._pairs.get(level, ()):
            ends = [place[self._member(end, level)] for end in (pair.source, pair.target)]
            fans.setdefault(ends[0], set()).add(ends[1])
            entries = self._entries(pair.target, pair.asking)
            self._join(self._exits(pair.source), entries, pair.turn)
        siblings: dict[int, list[set[int]]] = {}
        for fan in fans.values():
            for sibling in fan:
                siblings.setdefault(sibling, []).append(fan)
        self._connect_implicit(order, siblings)
        self._reroute(level)

    def _member(self, end: str | Level, level: Level) -> str | Level:
        """The member of a level that an end is, or lies in."""
        for around in self._around(end):
            if around is level:
                break
            end = around
        return end

    def _connect_implicit(
        self, order: Sequence[str | Level], siblings: dict[int, list[set[int]]]
    ) -> None:
        following: dict[tuple[int, ...], int] = {}  # where a search like this one ended before
        for position, member in enumerate(order):
            if not self._flows_on(member):
                continue
            fans = siblings.get(position, [])
            key = tuple(map(id, fans))
            start = max(position + 1, following.get(key, 0))
            found = next(
                (
                    n
                    for n in range(start, len(order))
                    if not any(n in fan for fan in fans) and self._is_fed(order[n])
                ),
                len(order),
            )
            following[key] = found
            if found < len(order):
                self._join(self._exits(member), self._entries(order[found]))

    def _flows_on(self, member: str | Level) -> bool:
        """Whether what a member emits goes to the next one if nothing is said."""
        if member in self._says_to:
            return False
        if isinstance(member, Level):
            return True
        return not isinstance(self._stages[member], Consumer) and not self._only_routes(member)

    def _is_fed(self, member: str | Level) -> bool:
        """Whether a member takes what the one before it emits if nothing is said."""
        if member in self._routed and member not in self._explicit:
            return False
        return bool(self._entries(member))

    def _only_routes(self, path: str) -> bool:
        """Whether a stage sends everything with ``To``."""
        forward = any(not feedback for _, _, feedback in self._routes.get(path, ()))
        return forward and self._stages[path].options.to is None

    def _join(self, sources: Sequence[str], targets: Sequence[str], turn: float = math.inf) -> None:
        for source in sources:
            for target in targets:
                self.wires.connect(source, target, turn)

    def _reroute(self, level: Level) -> None:
        for name, references in level.scope.reroutes.items():
            asking = f"reroutes of {name!r}"
            source = level.resolve(name, asking)
            self.wires.rerouted = True
            exits = self._exits(source)
            for path in exits:
                self._cut_off.setdefault(path, set()).update(self.wires.static.pop(path, ()))
            for reference in references:
                self._join(exits, self._entries(level.resolve(reference, asking), asking))

    # ------------------------------------------------------------- the ends of a pipeline

    def _entries(self, end: str | Level, asking: object = None) -> list[str]:
        """The stages that get what is sent to an end; somebody who is asking wants one at least."""
        if isinstance(end, str):
            entries = [] if isinstance(self._stages[end], Producer) else [end]
        else:
            inner = dict(end.all_stages())
            fed = {target for path in inner for target in self._fed_from(path)}
            takers = [p for p, stage in inner.items() if not isinstance(stage, Producer)]
            entries = [path for path in takers if path not in fed]
            if not entries:  # its producers feed everything, so what comes joins their items
                starts = [p for p, stage in inner.items() if isinstance(stage, Producer)]
                heads = dict.fromkeys(t for p in starts for t in self.wires.static.get(p, ()))
                entries = [path for path in heads if path in inner]
        if not entries and asking is not None:
            name = end if isinstance(end, str) else end.path
            raise UsageError(f"{asking}: a producer receives nothing, so {name!r} has no input")
        return entries

    def _fed_from(self, path: str) -> Iterator[str]:
        """What a stage sends to, might send to, or would if it were not rerouted."""
        yield from self.wires.static.get(path, ())
        yield from self._cut_off.get(path, ())
        named = [target for _, target, _ in self._routes.get(path, ())]
        if path in self._dead_letters:
            named.append(self._dead_letters[path])
        for target in named:
            yield from [target] if isinstance(target, str) else self._entries(target)

    def _exits(self, end: str | Level) -> list[str]:
        """The stages whose outputs flow on from an end."""
        if isinstance(end, str):
            return [end]
        inner = dict(end.all_stages())
        return [
            path
            for path in inner
            if not (self._stages[path].options.to or self._only_routes(path))
            and not any(target in inner for target in self.wires.static.get(path, ()))
        ]

    def _settle_routes(self) -> None:
        for path, routes in self._routes.items():
            for reference, target, feedback in routes:
                entries = tuple(self._entries(target, self._stages[path]))
                self.wires.routes.setdefault(path, []).append(
                    Route(self._references(reference, target), entries, feedback)
                )
        for path, end in self._dead_letters.items():
            self.wires.dead_letters[path] = tuple(self._entries(end, self._stages[path]))

    def _references(self, reference: Reference, target: str | Level) -> tuple[Reference, ...]:
        """All by which a target may be called in ``To``."""
        said = (reference,) if isinstance(reference, str) else ()
        if isinstance(target, Level):
            return (*said, target.path, _last(target.path))
        return (*said, *names_of(self._stages[target]))


def names_of(stage: DeclaredStage) -> tuple[Reference, ...]:
    """By what a running stage may refer to another: its path, its own name, its function."""
    function = stage.user_function
    return (stage.name, _last(stage.name), *(() if function is None else (function,)))


def _last(path: str) -> str:
    return path.rpartition(".")[2]
