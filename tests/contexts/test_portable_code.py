"""Stages cross to a worker that has not inherited them: by name where it can import them."""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cloudpickle
import pytest

from contract.functions import double
from contract.kernels import ChainKernel
from faults.session import start
from minigun_py.contexts.portable_code import (
    import_path,
    pack_code,
    pack_functions,
    unpack_code,
    unpack_functions,
)
from minigun_py.errors import NotPicklable

HOMELESS = """
class Point:
    def __init__(self, x):
        self.x = x

def helper(x):
    return 2 * x

def work(x):
    return Point(helper(x))

class Worker:
    def __call__(self, x):
        return Point(helper(x))

    def method(self, x):
        return Point(helper(x))
"""
"""A module that no worker could import."""


@pytest.fixture
def homeless(tmp_path: Path) -> Iterator[ModuleType]:
    """That module, loaded from a file that is on nobody's path."""
    module = load("homeless_of_tests", tmp_path, HOMELESS)
    yield module
    sys.modules.pop("homeless_of_tests", None)


def load(name: str, directory: Path, text: str) -> ModuleType:
    """Load a module from a file there."""
    path = directory / f"{name}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(kernel: Any, item: Any) -> Any:
    worker = kernel.bind()
    worker.run([item])
    return worker.harvest(1).outputs[0][0]


def crossed(*functions: Callable[..., Any]) -> Any:
    """A kernel of these functions as a worker gets it."""
    kernel, _ = unpack_code(pack_code(ChainKernel(**{f"s{n}": f for n, f in enumerate(functions)})))
    return kernel


# --------------------------------------------------------------------------- by name, or by value


def test_a_function_of_a_module_goes_by_name() -> None:
    (function,) = crossed(double).functions
    assert function is double
    assert len(pack_functions([double])) < 200


def test_lambdas_and_closures_go_by_value() -> None:
    offset = 100
    assert run(crossed(lambda n: n + offset, double), 1) == 202


def test_what_is_in_a_module_that_a_worker_cannot_import_goes_by_value(
    homeless: ModuleType,
) -> None:
    code = pack_code(ChainKernel(work=homeless.work))
    del sys.modules[homeless.__name__]  # as in a worker
    kernel, _ = unpack_code(code)
    assert run(kernel, 3).x == 6


def test_so_do_callable_objects_and_methods(homeless: ModuleType) -> None:
    for function in (homeless.Worker(), homeless.Worker().method):
        code = pack_code(ChainKernel(work=function))
        sys.modules.pop(homeless.__name__, None)
        kernel, _ = unpack_code(code)
        assert run(kernel, 3).x == 6
        sys.modules[homeless.__name__] = homeless


def test_so_do_partials(homeless: ModuleType) -> None:
    code = pack_code(ChainKernel(work=functools.partial(homeless.work)))
    del sys.modules[homeless.__name__]
    kernel, _ = unpack_code(code)
    assert run(kernel, 3).x == 6


def test_items_of_its_classes_go_by_name_all_the_same(homeless: ModuleType) -> None:
    code, item = pack_code(ChainKernel(work=homeless.work)), pickle.dumps(homeless.Point(5))
    del sys.modules[homeless.__name__]
    unpack_code(code)
    assert pickle.loads(item).x == 5


def test_a_module_that_is_already_there_gets_no_other_classes(homeless: ModuleType) -> None:
    """The results of the kernel are of the very classes that items are rebuilt with."""
    kernel, _ = unpack_code(pack_code(ChainKernel(work=homeless.work)))
    result = run(kernel, 3)
    assert type(pickle.loads(pickle.dumps(result))) is type(result)


def test_a_module_on_the_path_goes_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = load("homely_of_tests", tmp_path, HOMELESS)
    try:
        (function,) = crossed(module.work).functions
        assert function is module.work
    finally:
        del sys.modules["homely_of_tests"]


def test_a_module_whose_name_belongs_to_another_on_the_path_goes_by_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "on_the_path").mkdir()
    (tmp_path / "on_the_path" / "twin_of_tests.py").write_text("raise AssertionError('loaded')")
    monkeypatch.syspath_prepend(tmp_path / "on_the_path")
    module = load("twin_of_tests", tmp_path, HOMELESS)
    try:
        code = pack_code(ChainKernel(work=module.work))
    finally:
        del sys.modules["twin_of_tests"]
    kernel, _ = unpack_code(code)
    assert run(kernel, 3).x == 6
    del sys.modules["twin_of_tests"]


def test_functions_cross_by_themselves(homeless: ModuleType) -> None:
    code = pack_functions([homeless.helper, abs])
    del sys.modules[homeless.__name__]
    helper, builtin = unpack_functions(code)
    assert helper(3) == 6
    assert builtin is abs


# --------------------------------------------------------------------------- what else goes along


def test_levels_of_loggers_go_along() -> None:
    logger = logging.getLogger("tests_of_portable_code")
    logger.setLevel(logging.DEBUG)
    try:
        _, levels = unpack_code(pack_code(ChainKernel(double=double)))
    finally:
        logging.root.manager.loggerDict.pop(logger.name)
    assert levels[logger.name] == logging.DEBUG


def test_the_path_of_imports_names_the_current_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "/somewhere"])
    assert import_path() == [os.getcwd(), "/somewhere"]


def test_packing_leaves_nothing_behind(homeless: ModuleType) -> None:
    lock = threading.Lock()
    pack_code(ChainKernel(work=homeless.work))
    with pytest.raises(NotPicklable):
        pack_code(ChainKernel(work=homeless.work, locked=lambda n: (lock, n)))
    assert homeless.__name__ not in cloudpickle.list_registry_pickle_by_value()


# --------------------------------------------------------------------------- what cannot cross


def test_what_cannot_cross_is_refused_with_the_stages_and_the_reason() -> None:
    lock = threading.Lock()
    with pytest.raises(NotPicklable, match=r"^fetch, parse cannot be sent to a worker: .*lock"):
        pack_code(ChainKernel(fetch=double, parse=lambda n: (lock, n)))


def test_what_cannot_be_rebuilt_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = load("gone_of_tests", tmp_path, HOMELESS)
    code = pack_code(ChainKernel(work=module.work))
    del sys.modules["gone_of_tests"]
    (tmp_path / "gone_of_tests.py").unlink()
    with pytest.raises(NotPicklable, match=r"rebuilt in a worker: ModuleNotFoundError: .*gone_of"):
        unpack_code(code)


def test_a_class_that_cannot_cross_is_no_obstacle_to_the_others(homeless: ModuleType) -> None:
    class Locked:
        lock = threading.Lock()

    Locked.__module__, Locked.__qualname__ = homeless.__name__, "Locked"
    homeless.Locked = Locked  # type: ignore[attr-defined]
    code, item = pack_code(ChainKernel(work=homeless.work)), pickle.dumps(homeless.Point(5))
    del sys.modules[homeless.__name__]
    unpack_code(code)
    assert pickle.loads(item).x == 5


# --------------------------------------------------------------------------- to a fresh interpreter

PROGRAM = """
    import pickle
    from contract.kernels import ChainKernel
    from minigun_py.contexts.portable_code import pack_code

    class Point:
        def __init__(self, x):
            self.x = x

    def mirror(point):
        return Point(-point.x)

    say(pack_code(ChainKernel(mirror=mirror)).hex())
    say(pickle.dumps(Point(5)).hex())
    say("packed")
"""

WORKER = """
    import pickle
    from minigun_py.contexts.portable_code import unpack_code

    kernel, _ = unpack_code(bytes.fromhex(input()))
    item = pickle.loads(bytes.fromhex(input()))
    worker = kernel.bind()
    worker.run([item])
    ((result,),) = worker.harvest(1).outputs
    say(type(result).__module__, result.x, type(result) is type(item))
"""


def test_what_is_written_in_the_main_module_works_in_an_interpreter_that_has_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tests = str(Path(__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", tests)
    with start(PROGRAM) as program:
        code, item = program.hear(), program.hear()
        assert program.hear() == "packed"
        assert program.wait() == 0
    fed = WORKER.replace("input()", "{!r}").format(code, item)
    with start(fed) as worker:
        assert worker.hear() == "__main__ -5 True"
        assert worker.wait() == 0
