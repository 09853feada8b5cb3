"""Pipelines as classes, for parameters and for inheritance.

Example:
    >>> from minigun_py import Job, consumer, processor, producer
    >>> class Squares(Job):
    ...     def __init__(self, top):
    ...         self.top = top
    ...     @producer
    ...     def numbers(self):
    ...         yield from range(self.top)
    ...     @processor
    ...     def square(self, n):
    ...         return n * n
    >>> Squares(4).pipe.collect()
    [0, 1, 4, 9]

Methods become stages in the order of their definition. A subclass adds stages, overrides them by
name, and redirects them with `reroutes`. Each instance has a pipeline of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from minigun_py.declaring.grounds import DEFAULTS, LIMITS
from minigun_py.declaring.marks import marks_of, references_of
from minigun_py.engine.report import RunReport
from minigun_py.errors import UsageError
from minigun_py.pipeline import Pipeline
from minigun_py.plan.options import checked_options, nearest

__all__ = ["Job"]

_OWN: Final = ("run", "pipe", "configure")
_PIPE: Final = "_minigun_pipe"
_CONFIGURED: Final = "_minigun_configured"


class Job:
    """A pipeline as a class.

    Class attributes that say something for all stages: `execution`, `workers`, `queue_size`,
    `queue_bytes`,
    `on_error`, `max_threads`, `max_processes`. `reroutes` maps stages to the targets that replace
    those they have; the maps of base classes are merged by key.
    """

    reroutes: ClassVar[Mapping[str, Any]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, mark in marks_of(cls).items():
            if name in _OWN:
                raise UsageError(
                    f"{mark.where(name)}: every Job has {name!r} itself; give the stage another "
                    "name"
                )
        if not isinstance(cls.reroutes, Mapping):
            raise UsageError(f"{cls.__name__}: reroutes is {{stage: [targets]}}")

    def run(self, items: Any = None, **options: Any) -> RunReport:
        """Run to the end, as `Pipeline.run`."""
        return self.pipe.run(items, **options)

    @property
    def pipe(self) -> Pipeline:
        """The pipeline of this instance."""
        made: Pipeline | None = self.__dict__.get(_PIPE)
        if made is None:
            made = self.__dict__[_PIPE] = _built(self)
        return made

    def configure(self, stage: str, **options: Any) -> None:
        """Change options of a stage of this instance; in ``__init__``, too."""
        marks = marks_of(type(self))
        named = [mark for name, mark in marks.items() if mark.stage_name(name) == stage]
        if named and named[0].is_method:
            checked_options(options, f"{type(self).__name__}, stage {stage!r}")
        if stage.partition(".")[0] not in {mark.stage_name(n) for n, mark in marks.items()}:
            raise UsageError(
                f"{type(self).__name__}: there is no stage {stage!r}{nearest(stage, marks)}"
            )
        self.__dict__.setdefault(_CONFIGURED, []).append((stage, options))
        if _PIPE in self.__dict__:
            self.pipe.configure(stage, **options)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to a worker: the instance without its pipeline."""
        return {name: value for name, value in self.__dict__.items() if name != _PIPE}


def _built(job: Job) -> Pipeline:
    cls = type(job)
    names = (*DEFAULTS, *LIMITS)
    said = {name: getattr(job, name) for name in names if hasattr(job, name)}
    pipe = Pipeline(cls.__name__, **said)
    for name, mark in marks_of(cls).items():
        mark.declare(pipe, name, job)
    for base in reversed(cls.__mro__):
        for stage, targets in vars(base).get("reroutes", {}).items():
            pipe.reroute(stage, references_of(targets, cls))
    for stage, options in job.__dict__.get(_CONFIGURED, ()):
        pipe.configure(stage, **options)
    return pipe
