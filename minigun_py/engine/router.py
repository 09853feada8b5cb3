"""Deals what one stage emits to the exits that it names itself.

A stage names them with `To`, or its ``routing`` does for it: a function of the value, or the share
that a key belongs to. A value is put out only when all that its item emitted is known to have
somewhere to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigun_py.emission import Target, To
from minigun_py.errors import UsageError
from minigun_py.plan.options import nearest
from minigun_py.plan.segment import Exit
from minigun_py.plan.stage import DeclaredStage

__all__ = ["Router", "undeclared"]


class Router:
    """The ways out of one stage, for one worker.

    Args:
        stage: The stage.
        exits: The ways out that it names, each with the sink for what goes there.
        flows: Whether what it emits without naming anybody has somewhere to go.
    """

    def __init__(
        self, stage: DeclaredStage, exits: Sequence[tuple[Exit, Any]], flows: bool
    ) -> None:
        self._stage, self._flows = stage, flows
        self._routes = _by_reference([(e, sink) for e, sink in exits if not e.chosen])
        chosen = [(e, sink) for e, sink in exits if e.chosen]
        self._choices = _by_reference(chosen)
        self._shares = [sink for _, sink in chosen]
        self._choose: Callable[[Any], Sequence[Any]] | None = None
        if chosen:
            routing = stage.options.routing
            self._choose = self._asked if callable(routing) else self._sharing()

    def deal(self, values: Iterable[Any]) -> tuple[int, list[Any]]:
        """How many values go anywhere, and those among them that flow on as usual."""
        count, usual, parcels = 0, [], []
        for value in values:
            if isinstance(value, To):
                sinks = [self._named(target) for target in value.targets]
                parcels += [(sink, value.value) for sink in sinks]
                count += bool(sinks)
            elif self._choose is not None:
                sinks = list(self._choose(value))
                parcels += [(sink, value) for sink in sinks]
                count += bool(sinks)
            elif self._flows:
                usual.append(value)
                count += 1
            else:
                raise UsageError(
                    f"{self._stage}: it has only routes, so it sends To(name, value); for values "
                    "of their own add to="
                )
        for sink, value in parcels:
            sink.append(value)
        return count, usual

    def knows(self, target: Target) -> bool:
        """Whether a `To` may name it."""
        return _known(self._routes, target)

    def _named(self, target: Target) -> Any:
        if not self.knows(target):
            raise undeclared(self._stage, target)
        return self._routes[_reference(target)]

    def _asked(self, value: Any) -> list[Any]:
        said = self._stage.options.routing(value)  # type: ignore[operator]
        targets = said if isinstance(said, list | tuple) else () if said is None else (said,)
        for target in targets:
            if not _known(self._choices, target):
                names = [reference for reference in self._choices if isinstance(reference, str)]
                raise UsageError(
                    f"{self._stage}: its routing gave {target!r}, which is none of its targets"
                    f"{nearest(str(target), names)}"
                )
        return [self._choices[_reference(target)] for target in targets]

    def _sharing(self) -> Callable[[Any], list[Any]]:
        from minigun_py.engine.partition import placed_by  # here: few stages share by keys

        place = placed_by(self._stage.options.key or _itself, len(self._shares))
        return lambda value: [self._shares[place(value)]]


def undeclared(stage: DeclaredStage, target: Target) -> UsageError:
    """A stage sends where it has not said that it would."""
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return UsageError(
        f"{stage}: it sends to {name!r}, which it has not declared; add routes=[{name!r}]"
    )


def _by_reference(exits: Iterable[tuple[Exit, Any]]) -> dict[Any, Any]:
    """Sinks by all that tells one of them from the others."""
    found: dict[Any, list[Any]] = {}
    paths: dict[Any, Any] = {}
    for way_out, sink in exits:
        paths |= dict.fromkeys(way_out.targets[:1], sink)
        for reference in filter(_hashable, way_out.references):
            sinks = found.setdefault(reference, [])
            if not any(sink is other for other in sinks):
                sinks.append(sink)
    return {reference: sinks[0] for reference, sinks in found.items() if len(sinks) == 1} | paths


def _itself(value: Any) -> Any:
    return value


def _reference(target: Target) -> Any:
    return target.name if isinstance(target, DeclaredStage) else target


def _known(sinks: dict[Any, Any], target: Target) -> bool:
    reference = _reference(target)
    return _hashable(reference) and reference in sinks


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True
