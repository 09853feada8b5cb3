"""The commands of `minigun`: what they take, and what they print where.

Results go to stdout: the report, the plan. Everything else goes to stderr: progress, failures and
usage errors. So a report can be piped while the run is watched.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click

from minigun_py import Checkpoint, CheckpointError, Pipeline, UsageError
from minigun_py.cli.execution import Ending, execute
from minigun_py.cli.exit_status import ExitStatus
from minigun_py.cli.failures import failure_text, skipped_text
from minigun_py.cli.parameters import arguments_for, stage_options
from minigun_py.cli.replay import replay_capsule
from minigun_py.cli.target import find_target, make_pipeline
from minigun_py.engine.capsules import lone_kernel, read_capsule
from minigun_py.engine.onlooker import View
from minigun_py.plain_text import printable
from minigun_py.plan.options import nearest
from minigun_py.progress import Silence, open_view

__all__ = ["commands"]

F = TypeVar("F", bound=Callable[..., Any])

LATER_COMMANDS: Final = frozenset({"graph", "top", "lifecycle"})


class _Commands(click.Group):
    """Says of what is to come that it is to come, and ends by the exit status of the library."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LATER_COMMANDS:
            ctx.fail(f"the command {cmd_name!r} is not available in this version")
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (UsageError, CheckpointError) as error:
            raise click.UsageError(str(error)) from error
        except KeyboardInterrupt:
            ctx.exit(ExitStatus.INTERRUPTED)


def _print_version(ctx: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        click.echo(f"minigun {importlib.metadata.version('minigun-py')}")
        ctx.exit()


def _refuse(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        ctx.fail(f"the option {parameter.opts[0]} is not available in this version")


def _later(function: F) -> F:
    """Options that later versions bring: known by name, so that they are refused by name."""
    common: dict[str, Any] = {"hidden": True, "expose_value": False, "callback": _refuse}
    return click.option("--hud", is_flag=True, **common)(function)


_target = click.argument("target", metavar="FILE_OR_MODULE[:NAME]")

_parameters = click.option(
    "-p",
    "parameters",
    multiple=True,
    metavar="KEY=VALUE",
    help="A parameter of the function that returns the pipeline. Can be repeated.",
)

_execution = click.option(
    "--execution", metavar="KIND", help="Run every stage this way: inline, thread or fork."
)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version.",
)
def commands() -> None:
    """Run batch data pipelines, and see what they would do."""


@commands.command()
@_target
@_parameters
@click.option(
    "-o",
    "options",
    multiple=True,
    metavar="STAGE.OPTION=VALUE",
    help="An option of a stage, for this run, as in -o parse.workers=4. Can be repeated.",
)
@_execution
@click.option(
    "--progress/--quiet",
    "progress",
    default=None,
    help="Show progress in a log too, or nothing unless the run fails. "
    "By default there is a live view in a terminal.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report to a file, as JSON.",
)
@click.option(
    "--capsules",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Save each item that fails, with its stage, for minigun replay. They are pickles.",
)
@click.option(
    "--checkpoint",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Keep which items are finished, and leave out those that FILE says are.",
)
@click.option("--fresh", is_flag=True, help="Forget what the checkpoint says, and begin anew.")
@_later
@click.pass_context
def run(
    ctx: click.Context,
    *,
    target: str,
    parameters: tuple[str, ...],
    options: tuple[str, ...],
    execution: str | None,
    progress: bool | None,
    report_file: Path | None,
    capsules: Path | None,
    checkpoint: Path | None,
    fresh: bool,
) -> NoReturn:
    """Run a pipeline, and print what each stage did.

    FILE_OR_MODULE holds a Pipeline, a Job or a function that returns a Pipeline; NAME says which,
    if there are several.
    """
    if report_file is not None:
        _check_writable(report_file)
    pipe = _pipeline(target, parameters)
    stages = stage_options(options)
    if fresh and checkpoint is None:
        raise UsageError("--fresh says what to do with a --checkpoint, and there is none")
    ending = execute(
        lambda: pipe.start(
            execution=execution,
            stages=stages,
            capsules=capsules,
            checkpoint=checkpoint and Checkpoint(checkpoint, fresh=fresh),
        ),
        _view(progress),
        _say,
    )
    _tell(ending, quiet=progress is False)
    if report_file is not None:
        report_file.write_text(json.dumps(ending.report.to_dict(), indent=2) + "\n", "utf-8")
    ctx.exit(ending.status)


@commands.command()
@_target
@_parameters
@_execution
@click.option("--mermaid", is_flag=True, help="Draw the plan as a Mermaid flow chart.")
def plan(target: str, parameters: tuple[str, ...], execution: str | None, mermaid: bool) -> None:
    """Say where each stage of a pipeline would run, and why. Nothing is run."""
    decided = _pipeline(target, parameters).plan(execution=execution)
    click.echo(decided.to_mermaid() if mermaid else decided.explain())


@commands.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="CAPSULE")
@click.argument("target", required=False, metavar="[FILE_OR_MODULE[:NAME]]")
@_parameters
@click.option("--pdb", "debug", is_flag=True, help="Stop in the debugger where it fails.")
@click.pass_context
def replay(
    ctx: click.Context, *, file: Path, target: str | None, parameters: tuple[str, ...], debug: bool
) -> NoReturn:
    """Run a stage again on an item that it failed on, in this process.

    CAPSULE is a file that a run with --capsules has saved. Functions of modules are imported, as
    they are now; give the pipeline as well to have all of the stage as it is now. A capsule holds
    pickles, which can do anything when they are read: replay only those that you have made.
    """
    capsule = read_capsule(file)
    capsule.extend_path()
    if target is None:
        kernel = capsule.kernel()
    else:
        graph = _pipeline(target, parameters).plan().graph
        if capsule.stage not in graph.stages:
            hint = nearest(capsule.stage, graph.stages)
            raise UsageError(f"{target} has no stage {capsule.stage!r}{hint}")
        kernel = lone_kernel(graph, capsule.stage)
    error = replay_capsule(capsule, kernel, click.echo, debug)
    if error is not None:
        _say("\n" + printable("".join(traceback.format_exception(error)).rstrip()))
    ctx.exit(ExitStatus.FAILED if error else ExitStatus.SUCCEEDED)


def _pipeline(target: str, parameters: tuple[str, ...]) -> Pipeline:
    found = find_target(target)
    return make_pipeline(found, arguments_for(found, parameters))


def _view(progress: bool | None) -> View:
    return Silence() if progress is False else open_view(sys.stderr, everywhere=progress is True)


def _say(text: str) -> None:
    """To whatever stderr is now: a live view puts it above itself, which `click.echo` evades."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _tell(ending: Ending, quiet: bool) -> None:
    """What went wrong to stderr, then the report. Quiet is for runs that end well."""
    if text := failure_text(ending.errors, ending.report):
        _say(f"\n{text}\n")
    if text := skipped_text(ending.report.failures, ending.errors):
        _say(f"\n{text}\n")
    if not quiet or ending.status is not ExitStatus.SUCCEEDED:
        click.echo(f"\n{ending.report}")


def _check_writable(file: Path) -> None:
    """Find out before the run, not after it."""
    folder = file.parent
    if not (folder.is_dir() and os.access(file if file.exists() else folder, os.W_OK)):
        raise UsageError(f"--report {file}: cannot be written")
