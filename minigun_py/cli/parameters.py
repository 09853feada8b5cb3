"""Turns ``-p key=value`` and ``-o stage.option=value`` into arguments and options.

What a parameter is converted to, its annotation says: text, whole and decimal numbers, truth
values and paths, each of them also as ``X | None``. Nothing is guessed from the text, except for
options of stages, whose values the library checks itself.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from minigun_py import UsageError
from minigun_py.plan.options import nearest

__all__ = ["arguments_for", "stage_options"]

TRUE: Final = frozenset({"true", "yes", "on", "1"})
FALSE: Final = frozenset({"false", "no", "off", "0"})


def arguments_for(target: object, given: Iterable[str]) -> dict[str, object]:
    """The keyword arguments for `target` from texts like ``workers=4``.

    Raises `UsageError` for a text without ``=``, an unknown or a missing parameter, and a value
    that its annotation does not allow.
    """
    texts = dict(_pair(text, "-p", "key=value") for text in given)
    if not (inspect.isfunction(target) or isinstance(target, type)):
        if texts:
            raise UsageError(f"-p {next(iter(texts))}: a pipeline that is ready has no parameters")
        return {}
    parameters = _parameters(target)
    _check_names(texts, parameters)
    annotations = _annotations(target) if texts else {}
    return {
        name: _converted(name, text, annotations.get(name, str)) for name, text in texts.items()
    }


def stage_options(given: Iterable[str]) -> dict[str, dict[str, object]]:
    """Options by stage from texts like ``parse.workers=4``. The library knows which are right."""
    options: dict[str, dict[str, object]] = {}
    for text in given:
        place, value = _pair(text, "-o", "stage.option=value")
        stage, dot, option = place.rpartition(".")
        if not (stage and dot and option):
            raise UsageError(f"-o {text}: write it as stage.option=value")
        options.setdefault(stage, {})[option] = _guessed(value)
    return options


def _pair(text: str, flag: str, form: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"{flag} {text}: write it as {form}")
    return key, value


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """What can be given by name."""
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.kind is parameter.POSITIONAL_ONLY and parameter.default is parameter.empty:
            raise UsageError(f"{function.__name__}() takes {parameter.name!r} by position only")
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p for p in parameters if p.kind in by_name}


def _check_names(texts: Mapping[str, str], known: Mapping[str, inspect.Parameter]) -> None:
    for name in texts:
        if name not in known:
            hint = nearest(name, known) or "; there are none"
            raise UsageError(f"-p {name}: there is no such parameter{hint}")
    missing = [n for n, p in known.items() if p.default is p.empty and n not in texts]
    if missing:
        raise UsageError("missing: " + ", ".join(f"-p {name}=..." for name in missing))


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    annotated: Any = getattr(function, "__init__") if isinstance(function, type) else function  # noqa: B009
    try:
        return typing.get_type_hints(annotated)
    except NameError as error:
        raise UsageError(
            f"the annotations of {function.__name__}() cannot be read: {error}; "
            "import what they name outside `if TYPE_CHECKING`"
        ) from None


def _converted(name: str, text: str, annotation: Any) -> object:
    """The first reading that the annotation allows and that the text has."""
    kinds = [kind for kind in _alternatives(annotation) if kind in _CONVERSIONS]
    if not kinds:
        wanted = inspect.formatannotation(annotation)
        raise UsageError(f"-p {name}: a {wanted} cannot be given as text; only from Python")
    for kind in kinds:
        try:
            return _CONVERSIONS[kind][0](text)
        except ValueError:
            continue
    expected = " or ".join(_CONVERSIONS[kind][1] for kind in kinds)
    raise UsageError(f"-p {name}={text}: expected {expected}")


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    """The types of an annotation: one, or those of ``X | None``. Any stands for text."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return typing.get_args(annotation)
    return (str,) if annotation in (Any, object) else (annotation,)


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise ValueError(text)
    return text.lower() in TRUE


_CONVERSIONS: Final[dict[Any, tuple[Callable[[str], object], str]]] = {
    bool: (_truth, "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    Path: (Path, "a path"),
    str: (str, "text"),
}


def _guessed(text: str) -> object:
    """A number where it reads as one, a truth value where it is one, else text."""
    if text.isalpha():  # also "nan" and "inf", which a stage may be named
        return {"true": True, "false": False}.get(text.lower(), text)
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
