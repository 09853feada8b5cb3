"""What a workflow is made of, and that none of it waits for itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from minigun_py.errors import UsageError
from minigun_py.plan.signature import location
from minigun_py.record import record
from minigun_py.workflow.step import DeclaredStep

if TYPE_CHECKING:
    from minigun_py.workflow.workflow import Workflow

__all__ = ["Inner", "name_of", "names_used", "refuse_cycle"]


@record(eq=False)
class Inner:
    """A workflow within another, and how it is joined with it."""

    name: str
    workflow: Workflow
    inputs: Mapping[str, str]
    after: tuple[str, ...]

    def __str__(self) -> str:
        return f"workflow {self.name!r}"


def name_of(reference: Any, members: Mapping[str, DeclaredStep | Inner], where: str) -> str:
    """The name of what somebody refers to: by its name, its function, or a workflow.

    Raises `UsageError`, naming `where`, if nothing there has this function.
    """
    if isinstance(reference, str):
        return reference
    for name, member in members.items():
        own = member.function if isinstance(member, DeclaredStep) else member.workflow
        if own is reference:
            return name
    what = location(reference) if callable(reference) else repr(reference)
    raise UsageError(f"{where}: there is no step with this function: {what}")


def names_used(member: DeclaredStep | Inner) -> Iterable[str]:
    """What a member refers to by a name. It may depend on that, if it is a member as well."""
    if isinstance(member, DeclaredStep):
        return [*member.options.after, *sorted(member.sources)]
    return [*member.after, *member.inputs.values()]


def refuse_cycle(members: Mapping[str, DeclaredStep | Inner], name: str) -> None:
    """Raise `UsageError` if a member closes a cycle."""
    waiting, before = [name], dict[str, str]()
    while waiting:
        here = waiting.pop()
        for used in names_used(members[here]):
            if used == name:
                ring = [here]
                while ring[-1] != name:
                    ring.append(before[ring[-1]])
                way = " -> ".join([name, *ring])
                raise UsageError(f"{members[name]}: steps depend on each other in a cycle: {way}")
            if used in members and used not in before:
                before[used] = here
                waiting.append(used)
