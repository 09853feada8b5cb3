"""Type checkers find in a program what is wrong with it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.type_checkers import Said, expected_of, mypy, pyright

PACKAGE = Path(__file__).parents[2] / "minigun_py"
PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))

pytestmark = pytest.mark.timeout(600)  # a checker that has seen nothing yet reads everything

Checker = Callable[[Sequence[Path]], dict[Path, list[Said]]]

each_program = pytest.mark.parametrize("program", PROGRAMS, ids=[p.stem for p in PROGRAMS])


@pytest.fixture(scope="module", params=[mypy, pyright], ids=["mypy", "pyright"])
def said(request: pytest.FixtureRequest) -> dict[Path, list[Said]]:
    """What a checker says of all programs, which takes it little longer than one."""
    checker: Checker = request.param
    pytest.importorskip(checker.__name__)  # a tool for those who work on the package
    return checker(PROGRAMS)


@each_program
def test_a_checker_says_what_the_program_expects(
    program: Path, said: dict[Path, list[Said]]
) -> None:
    assert list(map(str, said[program])) == list(map(str, expected_of(program)))


def test_pyright_finds_nothing_in_the_package() -> None:
    pytest.importorskip("pyright")
    assert pyright([PACKAGE]) == {PACKAGE: []}


def test_the_package_says_that_it_has_types() -> None:
    assert (PACKAGE / "py.typed").is_file()
