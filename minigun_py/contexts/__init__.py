"""Where work runs: one seam, `ExecutionContext`, and a module for each kind behind it.

The user's door to a single context is `create_context`; to several at a time, `ContextPool`.
"""

from minigun_py.contexts.pool import ContextPool
from minigun_py.contexts.task import TaskContext, create_context

__all__ = ["ContextPool", "TaskContext", "create_context"]
