"""minigun_py: batch data pipelines that never hang, never lose an item, and say why.

The doors are imported when they are first used, so that importing the package is cheap.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigun_py.declaring.marks import (
        accumulator,
        after,
        after_fork,
        after_run,
        batch,
        before,
        before_fork,
        before_run,
        consumer,
        deduplicate,
        on_failure,
        part,
        processor,
        producer,
        rebatch,
        unbatch,
    )
    from minigun_py.emission import To
    from minigun_py.engine.checkpoint import Checkpoint
    from minigun_py.engine.current import Current, current
    from minigun_py.engine.report import FailedItem, RunReport
    from minigun_py.engine.run import Run
    from minigun_py.errors import (
        CheckpointError,
        ItemTimedOut,
        JobCancelled,
        MemoryExceeded,
        MinigunError,
        NotPicklable,
        PipelineFailed,
        PlanWarning,
        RunCancelled,
        RunTimedOut,
        TooManyFailures,
        UsageError,
        WorkerDied,
    )
    from minigun_py.job import Job
    from minigun_py.parallel_map import pmap
    from minigun_py.pipeline import Pipeline
    from minigun_py.placement import DEFAULT, GPU, HEAVY_CPU, HEAVY_IO, LIGHT_CPU, LIGHT_IO, Memory
    from minigun_py.plan.own_stage import Stage
    from minigun_py.plan.signature import Output
    from minigun_py.plan.stage_options import StageOptions
    from minigun_py.primitives.cancel import CancelToken
    from minigun_py.primitives.retry import Retry
    from minigun_py.settled import Settled
    from minigun_py.settling import ParallelExecutor, asettle, settle
    from minigun_py.suggestions import register_suggestion
    from minigun_py.workflow.result import Results, StepResult, StepState
    from minigun_py.workflow.workflow import Workflow

__all__ = [
    "DEFAULT",
    "GPU",
    "HEAVY_CPU",
    "HEAVY_IO",
    "LIGHT_CPU",
    "LIGHT_IO",
    "CancelToken",
    "Checkpoint",
    "CheckpointError",
    "Current",
    "FailedItem",
    "ItemTimedOut",
    "Job",
    "JobCancelled",
    "Memory",
    "MemoryExceeded",
    "MinigunError",
    "NotPicklable",
    "Output",
    "ParallelExecutor",
    "Pipeline",
    "PipelineFailed",
    "PlanWarning",
    "Results",
    "Retry",
    "Run",
    "RunCancelled",
    "RunReport",
    "RunTimedOut",
    "Settled",
    "Stage",
    "StageOptions",
    "StepResult",
    "StepState",
    "To",
    "TooManyFailures",
    "UsageError",
    "WorkerDied",
    "Workflow",
    "accumulator",
    "after",
    "after_fork",
    "after_run",
    "asettle",
    "batch",
    "before",
    "before_fork",
    "before_run",
    "consumer",
    "current",
    "deduplicate",
    "on_failure",
    "part",
    "pmap",
    "processor",
    "producer",
    "rebatch",
    "register_suggestion",
    "settle",
    "unbatch",
]

_HOMES = {
    **dict.fromkeys(
        ("DEFAULT", "GPU", "HEAVY_CPU", "HEAVY_IO", "LIGHT_CPU", "LIGHT_IO", "Memory"), "placement"
    ),
    **dict.fromkeys(
        (
            "accumulator",
            "after",
            "after_fork",
            "after_run",
            "batch",
            "before",
            "before_fork",
            "before_run",
            "consumer",
            "deduplicate",
            "on_failure",
            "part",
            "processor",
            "producer",
            "rebatch",
            "unbatch",
        ),
        "declaring.marks",
    ),
    "CancelToken": "primitives.cancel",
    "Checkpoint": "engine.checkpoint",
    "Current": "engine.current",
    "FailedItem": "engine.report",
    "Job": "job",
    **dict.fromkeys(("ParallelExecutor", "asettle", "settle"), "settling"),
    "Settled": "settled",
    "register_suggestion": "suggestions",
    "Output": "plan.signature",
    "Pipeline": "pipeline",
    "Retry": "primitives.retry",
    "Run": "engine.run",
    "RunReport": "engine.report",
    "Stage": "plan.own_stage",
    "StageOptions": "plan.stage_options",
    "To": "emission",
    "current": "engine.current",
    "pmap": "parallel_map",
    **dict.fromkeys(("Results", "StepResult", "StepState"), "workflow.result"),
    "Workflow": "workflow.workflow",
}


if not TYPE_CHECKING:  # to a type checker there would be every name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        module = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
        value = getattr(module, name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
