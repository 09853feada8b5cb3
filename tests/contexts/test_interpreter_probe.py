"""Before the first item it is known whether stages load in a subinterpreter, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from minigun_py import Pipeline, PlanWarning, UsageError
from minigun_py.contexts.registry import obstacle_to
from minigun_py.placement import ContextKind

if obstacle_to(ContextKind.SUBINTERPRETER) is None:
    import numpy

    from minigun_py.contexts.interpreter_probe import why_they_do_not_load

    def root(number: int) -> float:
        return float(numpy.sqrt(number))

    def pipe(**options: Any) -> Pipeline:
        pipe = Pipeline("roots", execution="subinterpreter")
        pipe.source([4, 9])
        pipe.processor(root, **options)
        return pipe

    def test_what_loads_is_no_obstacle() -> None:
        assert why_they_do_not_load([abs, lambda number: number]) is None
        assert why_they_do_not_load([]) is None

    def test_a_module_that_does_not_load_is_named() -> None:
        assert "numpy" in str(why_they_do_not_load([root]))
        assert "does not support loading in subinterpreters" in str(why_they_do_not_load([root]))

    def test_no_interpreter_is_left() -> None:
        from concurrent import interpreters

        why_they_do_not_load([lambda number: -number])
        assert len(interpreters.list_all()) == 1

    def test_the_plan_puts_the_stage_elsewhere_and_says_why() -> None:
        plan = pipe().plan()
        assert plan.context_for("root") is ContextKind.FORK
        assert "stage 'root': subinterpreter cannot run here (module numpy" in plan.explain()
        with pytest.warns(PlanWarning, match="so fork does"):
            assert sorted(pipe().collect()) == [2.0, 3.0]

    def test_whoever_wants_no_other_kind_is_refused() -> None:
        with pytest.raises(UsageError, match=r"module numpy.*but it says fallback='error'"):
            pipe(fallback="error").plan()

else:

    def test_there_are_none_before_python_3_14() -> None:
        assert obstacle_to(ContextKind.SUBINTERPRETER) == "it needs Python 3.14"
