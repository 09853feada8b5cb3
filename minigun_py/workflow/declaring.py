"""Reads a step from its function and what is said of it, and refuses whatever makes no sense."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from minigun_py.errors import UsageError
from minigun_py.plan.options import check_positive, checked_options, nearest, plain_function
from minigun_py.plan.signature import is_coroutine, is_generator, location
from minigun_py.primitives.retry import Retry
from minigun_py.workflow.step import DeclaredStep, Parameter, StepOptions

if TYPE_CHECKING:
    from minigun_py.placement import ResourceHint

__all__ = ["SaidOfStep", "UnnamedStep", "check_name", "declared", "limits_of", "parameters_of"]

_NAME: Final = re.compile(r"[^\W\d][\w-]*")
_SHARED: Final = ("resources", "execution", "timeout", "retry")
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class UnnamedStep(TypedDict, total=False):
    """What may be said of a step beside its name."""

    after: Any
    each: str | Mapping[str, str] | None
    when: Callable[..., Any] | None
    resources: ResourceHint | list[ResourceHint] | tuple[ResourceHint, ...]
    limits: str | list[str] | tuple[str, ...] | Mapping[str, int]
    execution: Literal["inline", "thread", "async", "fork", "cow_fork", "process", "subinterpreter"]
    timeout: float | None
    retry: int | Retry | None
    cache: bool


class SaidOfStep(UnnamedStep, total=False):
    """What may be said of a step."""

    name: str | None


def declared(
    function: Any, said: Mapping[str, Any], refer: Callable[[Any, str], str]
) -> DeclaredStep:
    """The step that a function is, with what is said of it.

    Args:
        function: What it calls.
        said: Its options.
        refer: The name of what `after` refers to.

    Raises:
        UsageError: It cannot be a step, or an option is unknown or makes no sense.
    """
    if not callable(function):
        raise UsageError(f"a step is a function, not {function!r}")
    name = said.get("name") or getattr(function, "__name__", None)
    if name is None:
        raise UsageError(f"step {function!r} has no name of its own; give it one with name=")
    check_name(name, "step")
    place = location(function)
    where = f"step {name!r} ({place})" if place else f"step {name!r}"
    for option in said:
        if option not in _KNOWN:
            raise UsageError(f"{where}: there is no option {option!r}{nearest(option, _KNOWN)}")
    if is_generator(function):
        raise UsageError(f"{where}: it yields, and a step returns its result: return a list of it")
    parameters = parameters_of(function, where)
    when = said.get("when")
    asked = () if when is None else parameters_of(plain_function("when", when, where), where)
    options = _options(said, parameters, refer, where)
    return DeclaredStep(name, function, parameters, asked, options, is_coroutine(function), where)


_KNOWN: Final = ("name", *UnnamedStep.__annotations__)


def check_name(name: Any, what: str) -> None:
    """Raise `UsageError` unless this can be the name of a step."""
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise UsageError(
            f"the name of a {what} is made of letters, digits, - and _, as in 'fetch_pages', "
            f"not {name!r}"
        )


def parameters_of(function: Callable[..., Any], where: str) -> tuple[Parameter, ...]:
    """The parameters that are given by name. Raises `UsageError` if there are others."""
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:
        raise UsageError(
            f"{where}: its parameters cannot be read; wrap it in a function with names"
        ) from None
    for parameter in found:
        if parameter.kind not in _POSITIONAL:
            raise UsageError(
                f"{where}: a step is given its arguments by name, which {parameter} cannot be"
            )
    return tuple(Parameter(p.name, p.default is not p.empty) for p in found)


def _options(
    said: Mapping[str, Any],
    parameters: tuple[Parameter, ...],
    refer: Callable[[Any, str], str],
    where: str,
) -> StepOptions:
    shared = checked_options({name: said[name] for name in _SHARED if name in said}, where)
    cache = said.get("cache", False)
    if not isinstance(cache, bool):
        raise UsageError(f"{where}: cache is True or False, not {cache!r}")
    after = said.get("after") or ()
    listed = after if isinstance(after, list | tuple | set | frozenset) else (after,)
    return StepOptions(
        after=tuple(dict.fromkeys(refer(one, where) for one in listed)),
        each=_each(said.get("each"), parameters, where),
        when=said.get("when"),
        resources=shared.resources,
        limits=limits_of(said.get("limits"), where),
        execution=shared.execution,
        timeout=shared.timeout,
        retry=shared.retry,
        cache=cache,
    )


def _each(each: Any, parameters: tuple[Parameter, ...], where: str) -> Mapping[str, str]:
    """For each parameter that receives one element, of what."""
    if each is None:
        return {}
    found = {each: each} if isinstance(each, str) else each
    if not (
        isinstance(found, Mapping) and found and all(isinstance(n, str) for n in found.values())
    ):
        raise UsageError(
            f"{where}: each is the name of a step whose result is a list, or such names by "
            f"parameter, as in each={{'page': 'pages'}}, not {each!r}"
        )
    known = [parameter.name for parameter in parameters]
    for name in found:
        if name not in known:
            raise UsageError(f"{where}: it has no parameter {name!r}{nearest(str(name), known)}")
    return dict(found)


def limits_of(said: Any, where: str) -> Mapping[str, int]:
    """How much of each named limit: one of each if only names are said."""
    if said is None:
        return {}
    named = {said: 1} if isinstance(said, str) else said
    if isinstance(named, list | tuple):
        named = dict.fromkeys(named, 1)
    if not isinstance(named, Mapping) or not all(isinstance(name, str) for name in named):
        raise UsageError(f"{where}: limits are names, or numbers by name, not {said!r}")
    for name, amount in named.items():
        check_positive(f"limit {name!r}", amount, where)
    return dict(named)
