"""A workflow as plain data: dicts, lists, text and numbers, as JSON and TOML have them.

Functions are named, as in ``package.module:function``, so they have to be importable. What is
usual is left out.
"""

from __future__ import annotations

import importlib
import sys
import tomllib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from minigun_py import placement
from minigun_py.errors import UsageError
from minigun_py.placement import GPU, Memory, ResourceHint
from minigun_py.plan.options import nearest
from minigun_py.primitives.retry import Retry
from minigun_py.record import as_dict
from minigun_py.workflow.step import DeclaredStep, StepOptions

if TYPE_CHECKING:
    from minigun_py.workflow.workflow import Workflow

__all__ = ["from_dict", "from_toml", "to_dict"]

W = TypeVar("W", bound="Workflow")

_PARTS: Final = ("name", "limits", "steps", "workflows")
_STEP: Final = (
    *("name", "function", "after", "each", "when", "resources", "limits", "execution", "timeout"),
    *("retry", "cache", "cleanup"),
)
_WITHIN: Final = ("name", "workflow", "inputs", "after")


def to_dict(workflow: Workflow) -> dict[str, Any]:
    """The definition as data. Raises `UsageError` if a function cannot be named."""
    steps: list[Any] = []
    within: list[Any] = []
    for name, member in workflow.members.items():
        if isinstance(member, DeclaredStep):
            steps.append(_step(member, workflow.cleanups.get(name)))
        else:
            part = {
                "name": name,
                "workflow": to_dict(member.workflow),
                "inputs": dict(member.inputs),
                "after": list(member.after),
            }
            within.append(_without_empty(part))
    told: dict[str, Any] = {"limits": dict(workflow.limits), "steps": steps, "workflows": within}
    return {"name": workflow.name, **_without_empty(told)}


def from_dict(cls: type[W], definition: Mapping[str, Any]) -> W:
    """The workflow of a definition. Raises `UsageError` if there is none."""
    _check_keys(definition, _PARTS, "a workflow")
    workflow = cls(definition.get("name", "workflow"), limits=definition.get("limits"))
    for told in _listed(definition, "workflows"):
        _check_keys(told, _WITHIN, "a workflow within another")
        inner = from_dict(cls, told.get("workflow", {}))
        name, inputs = told.get("name", inner.name), told.get("inputs")
        workflow.add(inner, name=name, inputs=inputs, after=told.get("after", ()))
    for told in _listed(definition, "steps"):
        _check_keys(told, _STEP, "a step")
        if "function" not in told:
            raise UsageError(f"step {told.get('name')!r} needs a function, as 'module:function'")
        workflow.step(_function(told["function"]), **_options(told))
    for told in _listed(definition, "steps"):
        if "cleanup" in told:
            name = told.get("name") or _function(told["function"]).__name__
            workflow.cleanup(name, _function(told["cleanup"]))
    return workflow


def from_toml(cls: type[W], text: str) -> W:
    """The workflow of a definition in TOML. Raises `UsageError` if it is none."""
    try:
        definition = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise UsageError(f"this is no TOML: {error}") from None
    return from_dict(cls, definition)


def _step(step: DeclaredStep, cleanup: Callable[..., Any] | None) -> dict[str, Any]:
    said: StepOptions = step.options
    retry = said.retry
    if retry is not None and retry.on is not Exception:
        raise UsageError(f"{step}: a definition as data cannot say on which errors to retry")
    told = {
        "after": list(said.after),
        "each": dict(said.each),
        "when": _reference(said.when, step),
        "resources": [str(hint) for hint in said.resources],
        "limits": dict(said.limits),
        "execution": None if said.execution is None else said.execution.value,
        "timeout": said.timeout,
        "retry": None if retry is None else _retry(retry),
        "cache": said.cache,
        "cleanup": _reference(cleanup, step),
    }
    return {
        "name": step.name,
        "function": _reference(step.function, step),
        **_without_empty(told),
    }


def _retry(retry: Retry) -> int | dict[str, Any]:
    said = {name: value for name, value in as_dict(retry).items() if name != "on"}
    usual = as_dict(Retry(retry.attempts))
    changed = {name: value for name, value in said.items() if value != usual[name]}
    return {"attempts": retry.attempts, **changed} if changed else retry.attempts


def _options(told: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: v for name, v in told.items() if name not in ("function", "cleanup")}
    if "when" in options:
        options["when"] = _function(options["when"])
    if isinstance(options.get("retry"), Mapping):
        try:
            options["retry"] = Retry(**options["retry"])
        except TypeError as error:
            raise UsageError(f"step {told.get('name')!r}: retry: {error}") from None
    if "resources" in options:
        listed = options["resources"]
        given = listed if isinstance(listed, list) else [listed]
        options["resources"] = [_hint(text, told) for text in given]
    return options


def _hint(text: Any, told: Mapping[str, Any]) -> ResourceHint:
    if isinstance(text, str):
        name, _, amount = text.removesuffix(")").partition("(")
        if name == "Memory" and amount:
            return Memory(amount)
        if name == "GPU" and amount.isdecimal():
            return GPU(int(amount))
        hint = getattr(placement, name, None) if not amount else None
        if isinstance(hint, ResourceHint):
            return hint
    raise UsageError(
        f"step {told.get('name')!r}: resources are texts such as 'HEAVY_CPU' and 'Memory(2GiB)', "
        f"not {text!r}"
    )


def _reference(function: Any, step: DeclaredStep) -> str | None:
    """By which a function is imported. Raises `UsageError` if it cannot be."""
    if function is None:
        return None
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    found: Any = sys.modules.get(module or "")
    for part in (name or "").split("."):
        found = getattr(found, part, None)
    if found is not function or module == "__main__":
        raise UsageError(
            f"{step}: {name or function!r} cannot be imported by its name, so it cannot be "
            "written down; put it at the top of a module"
        )
    return f"{module}:{name}"


def _function(reference: Any) -> Callable[..., Any]:
    module, colon, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if not (module and colon and name):
        raise UsageError(f"a function is named as in 'package.module:function', not {reference!r}")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"there is no function {reference!r}: {error}") from None
    if not callable(found):
        raise UsageError(f"{reference!r} is no function, but {found!r:.100}")
    return found  # type: ignore[no-any-return]


def _check_keys(told: Any, known: tuple[str, ...], what: str) -> None:
    if not isinstance(told, Mapping):
        raise UsageError(f"{what} is defined by values with names, not {told!r}")
    for name in told:
        if name not in known:
            raise UsageError(f"{what} has no {name!r}{nearest(str(name), known)}")


def _listed(definition: Mapping[str, Any], name: str) -> list[Any]:
    found = definition.get(name, [])
    if not isinstance(found, list):
        raise UsageError(f"the {name} of a workflow are a list, not {found!r}")
    return found


def _without_empty(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value not in (None, False, [], {})}
