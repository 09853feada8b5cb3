"""Programs as users write them, run by Python as a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from contract.gate import open_gate
from faults.kinds import KINDS, kinds_that, kinds_with
from faults.session import Program, start, written_for

SILENTLY = ("-W", "error")
IN_ANOTHER_MEMORY = {
    **{kind: f"execution={kind!r}" for kind in kinds_with("not shares_memory")},
    "spawn": "execution='process', start_method='spawn'",
}
every_start = pytest.mark.parametrize("options", IN_ANOTHER_MEMORY.values(), ids=IN_ANOTHER_MEMORY)

LEFT = """
    pipe = Pipeline("left", execution=KIND)
    pipe.source(itertools.count())
    @pipe.processor
    DEF work(number):
        return number
    @pipe.after("work")
    def over(*_):
        say("over")
    def take():
        for number in pipe.stream():
            raise ValueError("nobody catches this")
    take()
"""

# No `if __name__ == "__main__"`: nobody imports it again.
MAIN = """
    import os, sys
    os.write(1, b"begun\\n")
    from collections import namedtuple
    from dataclasses import dataclass
    from enum import Enum
    from typing import NamedTuple
    from contract.gate import Gate
    from minigun_py import Pipeline, PipelineFailed

    class Colour(Enum):
        RED = 1
        BLUE = 2

    class Pair(NamedTuple):
        left: int
        right: Colour

    @dataclass
    class Item:
        number: int
        def doubled(self):
            return Item(2 * self.number)

    class Refused(Exception):
        def __init__(self, item):
            super().__init__(item)
            self.item = item

    def helper(item):
        return item.doubled()

    def double(item):
        if item.number < 0:
            raise Refused(item)
        return helper(item)

    def adder():
        more = Item(1)
        return lambda item: Item(item.number + more.number)

    gate = Gate(sys.argv[1])
    def wait(item):
        gate.pass_through()
        return item

    def line(items):
        pipe = Pipeline("main")
        pipe.source(items)
        pipe.processor(double, OPTIONS)
        pipe.processor(adder(), name="add", OPTIONS)
        pipe.processor(lambda item: Pair(item.number, Colour.BLUE), name="pair", OPTIONS)
        return pipe

    def told(works):
        os.write(1, b"yes\\n" if works else b"no\\n")

    (pair,) = line([Item(5)]).collect()
    told(type(pair) is Pair and pair.right is Colour.BLUE and pair.left == 11)
    try:
        line([Item(-1)]).run()
    except PipelineFailed as failed:
        (error,) = failed.exceptions
        told(type(error) is Refused and type(error.item) is Item and error.item == Item(-1))
    waiting = Pipeline("waiting")
    waiting.processor(wait, OPTIONS)
    (item,) = waiting.collect([Item(7)])
    told(type(item) is Item and item.number == 7)
"""


@every_start
def test_what_a_script_defines_goes_to_its_workers_and_comes_back_as_its_own(
    options: str, tmp_path: Path
) -> None:
    with open_gate() as gate:
        script = MAIN.replace("OPTIONS", options)
        with start(script, gate._directory, file=tmp_path / "job.py") as program:
            assert [program.hear() for _ in range(3)] == ["begun", "yes", "yes"]
            gate.wait_for(1)
            members = program.members()
            assert listening_sockets(members) == []
            gate.let_go()
            assert list(the_rest(program)) == ["yes"]
            assert program.wait() == 0


def listening_sockets(pids: list[int]) -> list[str]:
    """Sockets of these processes that others can connect to, as the system tells of them."""
    inodes = set()
    for descriptor in (fd for pid in pids for fd in Path(f"/proc/{pid}/fd").iterdir()):
        with suppress(FileNotFoundError):  # closed meanwhile
            inodes.add(os.readlink(descriptor))
    found = []
    for line in lines_of("/proc/net/unix"):
        _, _, _, flags, _, _, inode, *path = line.split()
        if int(flags, 16) & 0x10000 and f"socket:[{inode}]" in inodes:
            found.append(f"unix {path}")
    for name in ("tcp", "tcp6"):
        for line in lines_of(f"/proc/net/{name}"):
            words = line.split()
            if words[3] == "0A" and f"socket:[{words[9]}]" in inodes:
                found.append(f"{name} {words[1]}")
    return found


def lines_of(path: str) -> list[str]:
    """A table of the kernel's, without its heading; nothing if it has no such table."""
    try:
        return Path(path).read_text().splitlines()[1:]
    except FileNotFoundError:
        return []


def the_rest(program: Program) -> Iterator[str]:
    """The lines that it says until it ends."""
    while True:
        try:
            yield program.hear()
        except EOFError:
            return


# --------------------------------------------------------------------------- without a warning


def says(script: str, kind: str) -> list[str]:
    """What a program says and what it is warned of, with every warning an error."""
    with start(written_for(kind, script), flags=SILENTLY, errors=True) as program:
        said = list(the_rest(program))
        assert program.wait() == 0, said
        return said


SQUARES = """
    def squares(kind=KIND):
        pipe = Pipeline("squares", execution=kind)
        @pipe.processor
        DEF square(number):
            return number * number
        return sorted(pipe.collect(range(5)))
"""


@kinds_that("not shares_memory")
def test_a_program_with_ten_busy_threads_is_warned_of_nothing(kind: str) -> None:
    script = (
        SQUARES
        + """
    stop = threading.Event()
    def work():
        while not stop.wait(0.001):  # without a pause they would leave no processor to others
            os.stat("/")
    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    try:
        say(squares())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    """
    )
    assert says(script, kind) == ["[0, 1, 4, 9, 16]"]


def test_a_program_with_a_running_event_loop_is_warned_of_nothing(kind: str) -> None:
    script = (
        SQUARES
        + """
    async def main():
        say(squares())
    asyncio.run(main())
    """
    )
    assert says(script, kind) == ["[0, 1, 4, 9, 16]"]


def test_a_program_that_logs_to_a_file_is_warned_of_nothing(kind: str, tmp_path: Path) -> None:
    script = (
        SQUARES
        + f"""
    import logging
    logging.basicConfig(filename={str(tmp_path / "log")!r}, level=logging.INFO)
    logging.info("before")
    say(squares())
    logging.info("after")
    """
    )
    assert says(script, kind) == ["[0, 1, 4, 9, 16]"]
    assert (tmp_path / "log").read_text() == "INFO:root:before\nINFO:root:after\n"


def test_what_waits_in_a_file_of_the_program_is_written_once(kind: str, tmp_path: Path) -> None:
    script = (
        SQUARES
        + f"""
    import logging
    file = open({str(tmp_path / "log")!r}, "w")
    logging.getLogger("mine").addHandler(logging.Handler())
    logging.getLogger("mine").handlers[0].file = file
    file.write("once\\n")
    del file
    squares()
    logging.getLogger("mine").handlers[0].file.close()
    """
    )
    assert says(script, kind) == []
    assert (tmp_path / "log").read_text() == "once\n"


INTERACTIVE = '''
import code
console = code.InteractiveConsole(vars(sys.modules["__main__"]))
SOURCE = """
from dataclasses import dataclass

@dataclass
class Item:
    number: int

def square(item):
    return Item(item.number ** 2)

DEF stage(item):
    return square(item)

pipe = Pipeline("typed", execution=KIND)
_ = pipe.processor(stage)
items = pipe.collect([Item(3), Item(4)])
say(sorted(item.number for item in items), {type(item) is Item for item in items})
"""
for block in SOURCE.split("\\n\\n"):
    for line in [*block.splitlines(), ""]:
        console.push(line)
'''


def test_what_is_typed_into_a_console_goes_to_workers(kind: str) -> None:
    """As in a notebook: the functions are those of a `__main__` without a file."""
    assert says(INTERACTIVE, kind) == ["[9, 16] {True}"]


@kinds_that("not survives_crash")
def test_a_crash_is_the_programs_where_a_worker_is_no_process(kind: str) -> None:
    script = """
    pipe = Pipeline("fragile", execution=KIND)
    @pipe.processor
    DEF work(number):
        os._exit(7)
    pipe.run([1, 2, 3])
    """
    with start(written_for(kind, script)) as program:
        program.watch()
        assert program.wait() == 7
        assert program.survivors(2.0) == []


# --------------------------------------------------------------------------- beside interpreters

if "subinterpreter" in KINDS:
    BESIDE = """
    import warnings
    from concurrent import interpreters
    beside = interpreters.create()
    from minigun_py import PlanWarning, UsageError
    pipe = Pipeline("beside", execution=KIND)
    @pipe.processor(fallback=FALLBACK)
    def work(number):
        return number, os.getppid()
    """

    @kinds_that("inherits_code", "survives_crash")
    def test_beside_an_interpreter_a_fresh_process_stands_in_for_a_fork_and_it_is_said(
        kind: str,
    ) -> None:
        script = (
            BESIDE.replace("FALLBACK", "'nearest'")
            + """
    plan = pipe.plan()
    (note,) = plan.notes
    say(plan.context_for("work"), note in plan.explain())
    say(note)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        results = pipe.collect(range(5))
    say(sorted(number for number, _ in results))
    say(*(warning.category.__name__ for warning in caught))
    """
        )
        with start(written_for(kind, script)) as program:
            place, note, results, warned = the_rest(program)
        assert place == "process True"
        assert f"'work': {kind} cannot run here (a subinterpreter is alive" in note
        assert note.endswith("so process does")
        assert results == "[0, 1, 2, 3, 4]"
        assert warned == "PlanWarning"

    @kinds_that("inherits_code", "survives_crash")
    def test_beside_an_interpreter_a_fork_is_refused_where_nothing_may_stand_in(kind: str) -> None:
        script = (
            BESIDE.replace("FALLBACK", "'error'")
            + """
    try:
        pipe.run(range(5))
    except UsageError as error:
        say(error)
    """
        )
        with start(written_for(kind, script)) as program:
            (said,) = the_rest(program)
        assert f"{kind} cannot run here (a subinterpreter is alive" in said

    def test_forks_and_interpreters_run_in_one_pipeline() -> None:
        script = """
    pipe = Pipeline("both")
    pipe.source(range(50))
    pipe.processor(lambda number: (number, os.getpid()), name="a", execution="subinterpreter")
    pipe.processor(lambda told: (*told, os.getpid()), name="b", execution="fork")
    pipe.processor(lambda told: (*told, os.getpid()), name="c", execution="cow_fork")
    pipe.processor(lambda told: (*told, os.getpid()), name="d", execution="subinterpreter")
    results = sorted(pipe.collect())
    say([told[0] for told in results] == list(range(50)))
    me = os.getpid()
    say({told[1] == me != told[2] != told[3] != told[4] == me for told in results})
    """
        assert says(script, "subinterpreter") == ["True", "{True}"]


def test_a_stream_that_an_error_has_left_ends_with_the_program(kind: str) -> None:
    with start(written_for(kind, LEFT)) as program:
        assert program.hear() == "over"
        assert program.wait(2.0) == 1
