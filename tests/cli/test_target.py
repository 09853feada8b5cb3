"""How the command finds the pipeline that is meant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from minigun_py import Pipeline, UsageError
from minigun_py.cli.parameters import arguments_for
from minigun_py.cli.target import find_target, make_pipeline

ONE = """
    from minigun_py import Pipeline
    nightly = Pipeline("nightly")
"""

SEVERAL = """
    from minigun_py import Pipeline
    nightly = Pipeline("nightly")
    def weekly(day: int = 1) -> Pipeline:
        return Pipeline(f"weekly {day}")
    def unannotated():
        return Pipeline("unannotated")
    def number() -> int:
        return 1
    text = "text"
"""


def test_the_only_pipeline_of_a_file_needs_no_name(write: Callable[..., str]) -> None:
    target = find_target(write(ONE))
    assert make_pipeline(target, {}).name == "nightly"


def test_a_pipeline_under_two_names_is_still_the_only_one(write: Callable[..., str]) -> None:
    target = find_target(write(ONE + "    alias = nightly\n"))
    assert make_pipeline(target, {}).name == "nightly"


def test_a_function_that_says_it_returns_a_pipeline_can_be_the_only_one(
    write: Callable[..., str],
) -> None:
    file = write("""
        from __future__ import annotations
        from minigun_py import Pipeline
        def weekly(day: int = 1) -> Pipeline:
            return Pipeline(f"weekly {day}")
    """)
    assert make_pipeline(find_target(file), {"day": 2}).name == "weekly 2"


def test_names_that_are_imported_or_private_are_no_candidates(write: Callable[..., str]) -> None:
    write("from minigun_py import Pipeline\ndef other() -> Pipeline: ...\n", "elsewhere.py")
    file = write(
        "from elsewhere import other\n" + "_hidden = other.__annotations__['return']('h')\n"
    )
    with pytest.raises(UsageError, match="has no Pipeline"):
        find_target(file)


def test_several_candidates_are_listed_as_one_would_type_them(write: Callable[..., str]) -> None:
    file = write(SEVERAL)
    with pytest.raises(UsageError, match="has several pipelines") as caught:
        find_target(file)
    assert f"{file}:nightly\n" in str(caught.value)
    assert str(caught.value).endswith(f"{file}:weekly")


@pytest.mark.parametrize("name", ["nightly", "weekly", "unannotated"])
def test_a_name_picks_one_of_several(write: Callable[..., str], name: str) -> None:
    assert make_pipeline(find_target(f"{write(SEVERAL)}:{name}"), {}).name.startswith(name)


def test_a_wrong_name_is_answered_with_the_nearest(write: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="has no 'nigthly'; did you mean 'nightly'"):
        find_target(f"{write(SEVERAL)}:nigthly")


@pytest.mark.parametrize("name", ["", ":nightly"])
def test_a_workflow_is_refused_by_what_it_is(write: Callable[..., str], name: str) -> None:
    file = write("from minigun_py import Workflow\nnightly = Workflow('nightly')\n")
    with pytest.raises(UsageError, match=r"nightly is a Workflow, .* call nightly\.run\(\)"):
        find_target(file + name)


def test_a_name_of_something_else_is_refused(write: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match="text is a str, neither a Pipeline, nor a Job"):
        find_target(f"{write(SEVERAL)}:text")


def test_a_function_that_returns_something_else_is_refused(write: Callable[..., str]) -> None:
    target = find_target(f"{write(SEVERAL)}:number")
    with pytest.raises(UsageError, match=r"number\(\) returned int, not a Pipeline"):
        make_pipeline(target, {})


def test_a_function_whose_annotations_cannot_be_read_can_be_named(
    write: Callable[..., str],
) -> None:
    file = write("""
        from __future__ import annotations
        import minigun_py
        def weekly(day: Unknown = 1) -> minigun_py.Pipeline:
            return minigun_py.Pipeline("weekly")
    """)
    with pytest.raises(UsageError, match=r"another function can be named, as .*jobs\.py:NAME"):
        find_target(file)
    assert make_pipeline(find_target(f"{file}:weekly"), {}).name == "weekly"


def test_a_file_is_loaded_under_its_own_name_and_finds_its_neighbours(
    write: Callable[..., str],
) -> None:
    write("NAME = 'from the neighbour'\n", "neighbour_of_jobs.py")
    file = write("""
        from minigun_py import Pipeline
        from neighbour_of_jobs import NAME
        nightly = Pipeline(NAME)
        if __name__ == "__main__":
            raise AssertionError("ran as a program")
    """)
    assert make_pipeline(find_target(file), {}).name == "from the neighbour"
    assert sys.modules["jobs"].__file__ == file


def test_a_file_named_like_a_module_that_is_loaded_does_not_replace_it(
    write: Callable[..., str],
) -> None:
    find_target(write(ONE, "signal.py"))
    assert hasattr(sys.modules["signal"], "SIGINT")


def test_a_module_is_found_from_the_current_directory(
    write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(ONE, "package_of_jobs/nightly_jobs.py")
    monkeypatch.chdir(tmp_path)
    assert isinstance(find_target("package_of_jobs.nightly_jobs"), Pipeline)
    assert isinstance(find_target("package_of_jobs.nightly_jobs:nightly"), Pipeline)


@pytest.mark.parametrize("text", ["no_such_module", "minigun_py.no_such_module"])
def test_a_module_that_is_not_there_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError, match="there is no file and no module"):
        find_target(text)


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        find_target(str(tmp_path / "jobs.py"))


def test_a_file_that_is_no_python_is_a_usage_error(write: Callable[..., str]) -> None:
    with pytest.raises(UsageError, match=r"should end in \.py"):
        find_target(write("nothing", "jobs.txt"))


def test_what_a_module_fails_to_import_is_its_own_error(
    write: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("import no_such_module_at_all\n", "broken_jobs.py")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        find_target("broken_jobs")


JOB = """
    from minigun_py import Job, consumer, producer
    class Squares(Job):
        def __init__(self, top: int, name: str = "s"):
            self.top, self.name = top, name
        @producer
        def numbers(self):
            yield from range(self.top)
        @consumer
        def square(self, n):
            return n * n
"""


def test_a_job_that_is_defined_in_the_file_can_be_the_only_one(write: Callable[..., str]) -> None:
    pipe = make_pipeline(find_target(write(JOB)), {"top": 3})
    assert pipe.collect() == [0, 1, 4]


def test_a_job_can_be_named(write: Callable[..., str]) -> None:
    file = write(JOB + "    class Few(Squares):\n        pass\n")
    assert make_pipeline(find_target(f"{file}:Few"), {"top": 2}).collect() == [0, 1]
    with pytest.raises(UsageError, match=r"(?s)several pipelines.*Squares.*Few"):
        find_target(file)


def test_an_instance_of_a_job_can_be_named(write: Callable[..., str]) -> None:
    file = write(JOB + "    few = Squares(2)\n")
    assert make_pipeline(find_target(f"{file}:few"), {}).collect() == [0, 1]


def test_the_arguments_of_a_job_are_those_of_its_constructor(write: Callable[..., str]) -> None:
    target = find_target(write(JOB))
    assert arguments_for(target, ["top=3"]) == {"top": 3}
    with pytest.raises(UsageError, match="missing: -p top="):
        arguments_for(target, [])
