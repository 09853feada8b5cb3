"""Failure capsules: a failed item in a file, with all that it takes to run its stage on it again.

A capsule is a line that names the format, a line of JSON for people, and pickles of the stage and
of the item, as they would cross to a worker. Whoever reads the pickles runs what is in them, as
with any pickle: they are for those who made them. The files, and their directory if it is made,
are for nobody else to read.

*Lock order*: a leaf; held while a file is written, so that numbers are not given twice.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import pickle
import platform
import re
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cloudpickle

from minigun_py.contexts.portable_code import import_path, pack_code, unpack_code
from minigun_py.engine.kernel import SegmentKernel
from minigun_py.engine.report import FailedItem
from minigun_py.errors import UsageError
from minigun_py.plan.graph import StageGraph
from minigun_py.plan.segment import lone_segment
from minigun_py.plan.stage import Producer
from minigun_py.record import record

__all__ = ["Capsule", "Capsules", "lone_kernel", "read_capsule"]

FORMAT: Final = b"minigun capsule 1\n"
MOST: Final = 1000
"""So many capsules a run writes at most: what fails on every item fills no disk."""


class Capsules:
    """Writes the capsules of one run."""

    def __init__(self, directory: Path, pipeline: str, graph: StageGraph) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._directory, self._pipeline, self._graph = directory, pipeline, graph
        self._lock = threading.Lock()
        self._codes: dict[str, bytes | None] = {}
        self._written = self._number = 0
        self._complained = False
        self._versions = {
            "minigun_py": importlib.metadata.version("minigun-py"),
            "python": platform.python_version(),
            "platform": platform.platform(),
        }

    def save(self, failed: FailedItem[Any]) -> None:
        """Write one. That it cannot be written is warned of once, and ends nothing."""
        if isinstance(self._graph.stages[failed.stage], Producer):  # it failed on no item
            return
        with self._lock:
            if self._written >= MOST:
                return
            self._written += 1
            try:
                self._write(failed.stage, self._content(failed))
            except Exception as error:
                if not self._complained:
                    self._complained = True
                    text = f"a failure capsule cannot be written: {error}"
                    warnings.warn(text, RuntimeWarning, stacklevel=2)

    def _write(self, stage: str, content: bytes) -> None:
        """Write a file with a number that none has yet: runs may share a directory."""
        plain = re.sub(r"[^\w.-]", "_", f"{self._pipeline}-{stage}")
        while True:
            self._number += 1
            name = f"{plain}-{os.getpid()}-{self._number:04}.capsule"
            try:
                descriptor = os.open(
                    self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600
                )
            except FileExistsError:
                continue
            with open(descriptor, "wb") as file:
                file.write(content)
            return

    def _content(self, failed: FailedItem[Any]) -> bytes:
        code, item = self._code(failed.stage), _pickled(failed.item)
        told = {
            "pipeline": self._pipeline,
            "stage": failed.stage,
            "attempts": failed.attempts,
            "item": failed.shown(1000),
            "error": f"{type(failed.error).__name__}: {failed.error}",
            "traceback": failed.traceback,
            "path": import_path(),
            "versions": self._versions,
        }
        return b"".join([FORMAT, json.dumps(told).encode(), b"\n", pickle.dumps((code, item))])

    def _code(self, stage: str) -> bytes | None:
        if stage not in self._codes:
            try:
                self._codes[stage] = pack_code(lone_kernel(self._graph, stage))
            except Exception:
                self._codes[stage] = None
        return self._codes[stage]


@record
class Capsule:
    """What a capsule holds. Its pickles are read when they are asked for."""

    told: dict[str, Any]
    _code: bytes | None
    _item: bytes | None

    @property
    def stage(self) -> str:
        """The path of the stage."""
        return str(self.told["stage"])

    def extend_path(self) -> None:
        """Let modules be found where they were when it was written, behind those found now."""
        sys.path += [place for place in self.told["path"] if place not in sys.path]

    def kernel(self) -> SegmentKernel:
        """The stage: what modules hold of it as that is now, the rest as it was.

        Raises `UsageError` if it could not be saved, or cannot be rebuilt.
        """
        kernel: SegmentKernel = self._load(self._code, _unpacked, "the stage")
        return kernel

    def item(self) -> Any:
        """The item. Raises `UsageError` if it could not be saved."""
        return self._load(self._item, pickle.loads, "the item")

    @staticmethod
    def _load(blob: bytes | None, load: Callable[[bytes], Any], what: str) -> Any:
        if blob is None:
            raise UsageError(f"{what} is not in the capsule, since it cannot be pickled")
        try:
            return load(blob)
        except Exception as error:
            raise UsageError(
                f"{what} cannot be read from the capsule: {type(error).__name__}: {error}"
            ) from error


def read_capsule(path: Path) -> Capsule:
    """Read a capsule. Raises `UsageError` if it is none. Nothing of it is run yet."""
    try:
        with path.open("rb") as file:
            if file.readline() != FORMAT:
                raise UsageError(f"{path} is no capsule of this version of minigun_py")
            told = json.loads(file.readline())
            return Capsule(told, *pickle.load(file))
    except (OSError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def lone_kernel(graph: StageGraph, stage: str) -> SegmentKernel:
    """A stage of a graph by itself, with its ways out."""
    segment = lone_segment(graph, stage)
    return SegmentKernel(segment, range(len(segment.exits)), [stage])


def _unpacked(code: bytes) -> Any:
    return unpack_code(code)[0]


def _pickled(item: Any) -> bytes | None:
    try:
        return bytes(cloudpickle.dumps(item, protocol=5))
    except Exception:
        return None
