"""What a process does before it is a worker: it will crash with a word, and share the machine.

Processors are shared by all workers of a context. Libraries of linear algebra start a thread for
every processor in every process, so N workers would run N times too many: they are told to take
their share, by the environment where they are not loaded yet, and by ``threadpoolctl`` where that
is installed. Numbers that the user has set stay.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Final

from minigun_py.contexts.cpus import usable_cpus

__all__ = ["prepare_process"]

THREAD_VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

STDERR: Final = 2


def prepare_process(workers: int) -> None:
    """Make ready a process that is one of so many workers."""
    import faulthandler  # here: it does not load in a subinterpreter, which may import this

    if not faulthandler.is_enabled():
        with contextlib.suppress(OSError):  # a program without a standard error
            faulthandler.enable(STDERR)
    _share_processors(max(1, usable_cpus() // workers))


def _share_processors(share: int) -> None:
    free = [name for name in THREAD_VARIABLES if name not in os.environ]
    os.environ.update(dict.fromkeys(free, str(share)))
    if "numpy" in sys.modules and len(free) == len(THREAD_VARIABLES):
        with contextlib.suppress(ImportError):
            importlib.import_module("threadpoolctl").threadpool_limits(share)
