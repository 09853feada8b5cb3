"""What the annotations of stages say of the items between them, and where they contradict. Pure.

A stage emits what its function returns, or what the iterator that it returns gives; what it takes
is the annotation of its first parameter. An edge is told of when no type that comes along it can
be of a type that is taken at its end, so that every item would be a wrong one. A stage without
annotations says nothing, and nothing is said of it.
"""

from __future__ import annotations

import builtins
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType, NoneType, SimpleNamespace
from typing import Any, Final, TypeVar

from minigun_py.emission import To
from minigun_py.plan.fitting import Types, can_fit, element_of, joined, members_of, shown
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.introspection import parameters_of
from minigun_py.plan.passing import Passing, passing_of
from minigun_py.plan.signature import Output, called, is_generator
from minigun_py.plan.stage import DeclaredStage, OwnStage, Producer
from minigun_py.record import record, replace

__all__ = ["misfits"]

T = TypeVar("T")

_NOT_ITS_OWN: Final = ("__wrapped__", "__no_type_check__")
"""Attributes of functions whose annotations are those of another function, or no types."""


@record
class _Said:
    """What a stage takes, emits, and sends with ``To``, as far as that is known."""

    takes: Types = None
    emits: Types = None
    sends: Types = None


def misfits(graph: StageGraph) -> tuple[str, ...]:
    """The edges along which nothing can fit, in sentences with both stages and their lines."""
    read = _Reading()
    said = {path: read.stage(stage) for path, stage in graph.stages.items()}
    _pass_on(graph, said)
    told: list[str | None] = []
    for path, source in graph.stages.items():
        emits, sends = said[path].emits, said[path].sends
        ends = [(emits, "emits {}", target) for target in graph.static(path)]
        ends += [(sends, "sends {} with To", t) for r in graph.routes(path) for t in r.targets]
        for types, verb, target in ends:
            takes = said[target].takes
            if types and takes:
                told.append(_unless_odd(_compare, source, verb, types, graph.stages[target], takes))
    return tuple(dict.fromkeys(sentence for sentence in told if sentence))


def _compare(
    source: DeclaredStage, verb: str, emitted: Types, target: DeclaredStage, taken: Types
) -> str | None:
    if can_fit(emitted, taken):
        return None
    alike = shown(emitted) == shown(taken)
    says = verb.format(shown(emitted, with_modules=alike))
    return f"{source} {says}, and {target} takes {shown(taken, with_modules=alike)}"


def _pass_on(graph: StageGraph, said: dict[str, _Said]) -> None:
    """Let types go through the stages that know no type of their own."""
    received: dict[str, list[Types]] = {p: [] for p, s in graph.stages.items() if _passing(s)}
    for path in graph.dag.order() if received else ():
        how = _passing(graph.stages[path])
        if how is not None:
            came = joined(received[path]) if not graph.comes_back_to(path) else None
            emits = _unless_odd(how.emitted, came or None)
            said[path] = replace(said[path], emits=emits)
        for target in graph.static(path):
            if target in received:
                received[target].append(said[path].emits)
        for target in (t for route in graph.routes(path) for t in route.targets):
            if target in received:
                received[target].append(said[path].sends)


def _passing(stage: DeclaredStage) -> Passing | None:
    if isinstance(stage, OwnStage):
        return passing_of(type(stage.instance))
    return passing_of(stage.user_function)


class _Reading:
    """Reads annotations, those of a function once."""

    def __init__(self) -> None:
        self._read: dict[tuple[object, ...], _Said] = {}

    def stage(self, stage: DeclaredStage) -> _Said:
        function = stage.user_function
        if function is None or _passing(stage) is not None:
            return _Said()
        said = self._function(function, not isinstance(stage, Producer), stage.pulls)
        if not isinstance(stage, OwnStage) or not stage.keeps_items:
            return said
        flushed = self._function(stage.instance.flush, False, False)
        return replace(
            said,
            emits=joined((said.emits, flushed.emits)),
            sends=joined((said.sends, flushed.sends)),
        )

    def _function(self, function: Callable[..., Any], takes_items: bool, pulls: bool) -> _Said:
        written = getattr(function, "__func__", function)
        key = (id(written), written is function, takes_items, pulls)
        if key not in self._read:
            self._read[key] = _unless_odd(_read, function, takes_items, pulls) or _Said()
        return self._read[key]


def _unless_odd(ask: Callable[..., T], *about: Any) -> T | None:
    """The answer; None if there is none, since annotations may be anything, and may do anything."""
    try:
        return ask(*about)
    except Exception:
        return None


def _read(function: Callable[..., Any], takes_items: bool, pulls: bool) -> _Said:
    inner = called(function)
    if isinstance(inner, type):
        return _read_class(inner)
    if any(hasattr(f, name) for f in (function, inner) for name in _NOT_ITS_OWN):
        return _Said()
    hints = _Hints(inner)
    if not hints.given:
        return _Said()
    item, names = _parameters(function)
    takes: Types = None
    if takes_items:
        hint = hints.of(item)
        takes = element_of(hint) if pulls else members_of(hint)
    returned = hints.of("return")
    emitted: Types
    if pulls or is_generator(function):
        emitted = element_of(returned)
    else:
        found = members_of(returned)
        emitted = None if found is None else tuple(t for t in found if t is not NoneType)
    pushes = "output" in names and not (takes_items and item == "output")
    pushed = _pushed(hints) if pushes else ()
    if emitted is None:
        return _Said(takes)
    plain = tuple(t for t in emitted if not _is_to(t))
    sent = joined(_argument(t) for t in emitted if _is_to(t))
    return _Said(takes, joined((plain, pushed)), joined((sent, pushed)))


def _read_class(cls: type) -> _Said:
    """What a class says that is called for each item."""
    if type(cls).__call__ is not type.__call__ or isinstance(cls.__new__, FunctionType):
        return _Said()
    takes: Types = None
    made_by: object = cls.__dict__.get("__init__")
    if isinstance(made_by, FunctionType):
        takes = members_of(_Hints(made_by).of(_parameters(cls)[0]))
    return _Said(takes, members_of(cls), ())


class _Hints:
    """The annotations of a function, resolved when they are asked for."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._names = getattr(function, "__globals__", {})
        self.given = _annotations(function)

    def of(self, name: str | None) -> Any:
        """The annotation of a parameter, or what is returned; `Any` where nobody knows."""
        hint = self.given.get(name, Any) if name is not None else Any
        if isinstance(hint, str):  # to evaluate it takes far longer than to look it up
            hint = self._names.get(hint) or getattr(builtins, hint, hint)
        if type(hint) is type:
            return hint
        return _unless_odd(self._resolved, hint) or Any

    def _resolved(self, hint: Any) -> Any:
        alone = SimpleNamespace(__annotations__={"it": hint})
        return typing.get_type_hints(alone, globalns=self._names)["it"]


def _annotations(function: Callable[..., Any]) -> Mapping[str | None, Any]:
    if sys.version_info >= (3, 14):  # a name that is not there makes all of them raise
        try:
            return function.__annotations__ or {}
        except Exception:  # whatever they raise, be it that an attribute is not there
            import annotationlib  # here: for few

            return annotationlib.get_annotations(function, format=annotationlib.Format.FORWARDREF)
    return getattr(function, "__annotations__", None) or {}


def _parameters(function: Callable[..., Any]) -> tuple[str | None, Sequence[str]]:
    """The name of the first parameter that is given by place, and the names of all."""
    its = parameters_of(function)
    names = [name for name, _ in (*its.placed, *its.named)]
    return (names[0] if its.placed else its.rest), names


def _pushed(hints: _Hints) -> Types:
    """What a stage emits by calling ``output``."""
    hint = hints.of("output")
    return _argument(hint) if typing.get_origin(hint) is Output else None


def _argument(annotation: Any) -> Types:
    arguments = typing.get_args(annotation)
    return members_of(arguments[0]) if arguments else None


def _is_to(annotation: Any) -> bool:
    cls = annotation if isinstance(annotation, type) else typing.get_origin(annotation)
    return isinstance(cls, type) and issubclass(cls, To)
