"""All workloads of the speed benchmark, in the order of its tables."""

from __future__ import annotations

from benchmarks import _speed_io
from benchmarks._speed_arrays import ARRAYS
from benchmarks._speed_batches import BATCHES
from benchmarks._speed_books import BOOKS
from benchmarks._speed_bounds import RUN_AHEAD
from benchmarks._speed_cpu import CPU, FREE_THREADS
from benchmarks._speed_growth import GROWTH
from benchmarks._speed_inline import GENERATORS, VALUES
from benchmarks._speed_interpreters import TINY_INTERPRETERS, WARM_INTERPRETERS
from benchmarks._speed_processes import FORKS_IN_A_ROW, TINY
from benchmarks._speed_start import FIRST_RESULTS, IMPORTS
from benchmarks._speed_threads import LATENCY, THREADS

__all__ = ["WORKLOADS"]

WORKLOADS = {
    workload.name: workload
    for workload in (
        VALUES,
        GENERATORS,
        THREADS,
        LATENCY,
        TINY,
        FORKS_IN_A_ROW,
        *CPU,
        _speed_io.THREADS,
        _speed_io.COROUTINES,
        *ARRAYS,
        BATCHES,
        WARM_INTERPRETERS,
        TINY_INTERPRETERS,
        FREE_THREADS,
        IMPORTS,
        *FIRST_RESULTS,
        RUN_AHEAD,
        *GROWTH,
        *BOOKS,
    )
}
