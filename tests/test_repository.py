"""Promises that the repository as a whole keeps."""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "minigun_py").rglob("*.py"))
MAX_LINES = 350
HEAVY = {"asyncio", "click", "concurrent.futures", "multiprocess", "rich", "sqlite3"}

each_module = pytest.mark.parametrize(
    "module", MODULES, ids=[str(module.relative_to(ROOT)) for module in MODULES]
)


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert HEAVY & modules_loaded_by("import minigun_py") == set()


@each_module
def test_every_module_says_what_it_is(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


@each_module
def test_no_module_outgrows_its_concept(module: Path) -> None:
    assert len(module.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_the_project_is_described_in_one_file() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    described = [name for name in config if name.split(".")[0] in {"metadata", "options"}]
    assert described == []


def test_the_installed_version_is_the_declared_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert importlib.metadata.version(project["name"]) == project["version"]


def modules_loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has after `statement` and had not before."""
    program = f"import sys; old = set(sys.modules); {statement}; print(*set(sys.modules) - old)"
    # Coverage would measure the child, and import half of the suspects to do so.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    output = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout
    return set(output.split())
