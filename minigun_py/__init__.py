"""minigun_py: batch data pipelines that never hang, never lose an item, and say why.

The doors are imported when they are first used, so that importing the package is cheap.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigun_py.engine.current import Current, current
    from minigun_py.engine.report import FailedItem, RunReport
    from minigun_py.engine.run import Run
    from minigun_py.errors import (
        MinigunError,
        NotPicklable,
        PipelineFailed,
        PlanWarning,
        RunCancelled,
        RunTimedOut,
        UsageError,
        WorkerDied,
    )
    from minigun_py.parallel_map import pmap
    from minigun_py.pipeline import Pipeline
    from minigun_py.placement import DEFAULT, GPU, HEAVY_CPU, HEAVY_IO, LIGHT_CPU, LIGHT_IO, Memory
    from minigun_py.primitives.cancel import CancelToken

__all__ = [
    "DEFAULT",
    "GPU",
    "HEAVY_CPU",
    "HEAVY_IO",
    "LIGHT_CPU",
    "LIGHT_IO",
    "CancelToken",
    "Current",
    "FailedItem",
    "Memory",
    "MinigunError",
    "NotPicklable",
    "Pipeline",
    "PipelineFailed",
    "PlanWarning",
    "Run",
    "RunCancelled",
    "RunReport",
    "RunTimedOut",
    "UsageError",
    "WorkerDied",
    "current",
    "pmap",
]

_HOMES = {
    **dict.fromkeys(
        ("DEFAULT", "GPU", "HEAVY_CPU", "HEAVY_IO", "LIGHT_CPU", "LIGHT_IO", "Memory"), "placement"
    ),
    "CancelToken": "primitives.cancel",
    "Current": "engine.current",
    "FailedItem": "engine.report",
    "Pipeline": "pipeline",
    "Run": "engine.run",
    "RunReport": "engine.report",
    "current": "engine.current",
    "pmap": "parallel_map",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
