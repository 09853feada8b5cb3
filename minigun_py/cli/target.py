"""Finds the pipeline that a command is about, from ``FILE_OR_MODULE[:NAME]``.

A target is a `Pipeline`, a `Job` class, or a function that returns a pipeline. A file is loaded
the way ``python FILE`` would find its neighbours, with its directory on ``sys.path``, but under its
own name, so that what stands below ``if __name__ == "__main__"`` does not run. A module is found
from the current directory, like ``python -m``.

Without a name it is the only candidate there. A function is one if it is annotated with
``-> Pipeline``, since calling functions to find out would run whatever they do.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType

from minigun_py import Job, Pipeline, UsageError
from minigun_py.plan.options import nearest

__all__ = ["Target", "find_target", "make_pipeline"]

Target = Pipeline | Callable[..., object]
"""A pipeline, or what makes one when it is called: a function, or a class of jobs."""


def find_target(text: str) -> Target:
    """The pipeline, or the function that makes it. Raises `UsageError` if there is none."""
    place, name = _split(text)
    module = _load_file(Path(place)) if _is_file(place) else _load_module(place)
    return _named(module, name, place) if name else _only_one(module, place)


def make_pipeline(target: Target, arguments: Mapping[str, object]) -> Pipeline:
    """The pipeline itself. `arguments` go to the function that returns it, or to the class."""
    made = target if isinstance(target, Pipeline) else target(**arguments)
    if isinstance(made, Job):
        return made.pipe
    if isinstance(made, Pipeline):
        return made
    assert callable(target)
    raise UsageError(f"{_label(target)} returned {type(made).__name__}, not a Pipeline")


def _split(text: str) -> tuple[str, str]:
    place, colon, name = text.rpartition(":")
    return (place, name) if colon and name.isidentifier() else (text, "")


def _is_file(place: str) -> bool:
    return place.endswith(".py") or os.sep in place or Path(place).is_file()


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    path = path.resolve()
    _put_on_path(str(path.parent))
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_target"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path.name} is not a Python file; its name should end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its classes are pickled by this name
    spec.loader.exec_module(module)
    return module


def _load_module(name: str) -> ModuleType:
    _put_on_path(os.getcwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it imports is not
        raise UsageError(f"there is no file and no module {name!r}") from None


def _put_on_path(directory: str) -> None:
    if directory not in sys.path:
        sys.path.insert(0, directory)


def _named(module: ModuleType, name: str, place: str) -> Target:
    found = getattr(module, name, None)
    if isinstance(found, Pipeline):
        return found
    if isinstance(found, Job):
        return found.pipe
    if inspect.isfunction(found) or _is_job(found):
        return typing.cast(Target, found)
    if _is_workflow(found):
        raise UsageError(_NOT_HERE.format(place=place, name=name))
    if found is not None:
        what = f"{name} is a {type(found).__name__}"
        raise UsageError(
            f"{place}: {what}, neither a Pipeline, nor a Job, nor a function that returns one"
        )
    raise UsageError(f"{place} has no {name!r}{nearest(name, _candidates(module))}")


def _only_one(module: ModuleType, place: str) -> Target:
    candidates = _candidates(module)
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    if candidates:
        choices = "\n".join(f"  {place}:{name}" for name in candidates)
        raise UsageError(f"{place} has several pipelines; name one:\n{choices}")
    for name, value in vars(module).items():
        if _is_workflow(value):
            raise UsageError(_NOT_HERE.format(place=place, name=name))
    raise UsageError(
        f"{place} has no Pipeline, no Job, and no function annotated with `-> Pipeline`; "
        f"another function can be named, as {place}:NAME"
    )


def _candidates(module: ModuleType) -> dict[str, Target]:
    """What a command could mean here, by name; the same object under two names counts once.

    A pipeline that is a part of another one here does not count.
    """
    found: dict[int, tuple[str, Target]] = {}
    for name, value in vars(module).items():
        if not name.startswith("_") and _is_candidate(value, module):
            found.setdefault(id(value), (name, value))
    pipelines = [value for _, value in found.values() if isinstance(value, Pipeline)]
    parts = {id(p) for p in pipelines if any(whole.contains(p) for whole in pipelines)}
    return dict(pair for key, pair in found.items() if key not in parts)


def _is_candidate(value: object, module: ModuleType) -> bool:
    if isinstance(value, Pipeline):
        return True
    if getattr(value, "__module__", None) != module.__name__:
        return False
    return _is_job(value) or (inspect.isfunction(value) and _returns_pipeline(value))


_NOT_HERE = (
    "{place}: {name} is a Workflow, which this version runs from Python alone; call {name}.run()"
)


def _is_workflow(value: object) -> bool:
    workflows = sys.modules.get("minigun_py.workflow.workflow")  # else there is none
    return workflows is not None and isinstance(value, workflows.Workflow)


def _is_job(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Job) and value is not Job


def _returns_pipeline(function: Callable[..., object]) -> bool:
    try:
        return typing.get_type_hints(function).get("return") is Pipeline
    except (NameError, TypeError, AttributeError):  # a name that only a type checker sees
        return False


def _label(function: Callable[..., object]) -> str:
    return f"{getattr(function, '__name__', function)}()"
