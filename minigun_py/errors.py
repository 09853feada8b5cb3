"""Every exception of the library, as one tree.

::

    BaseException
    ├── RunCancelled               the run, or a token, was cancelled; ``reason`` says why
    ├── ChannelAborted             the stream was cut: nothing more will come or go
    └── Exception
        ├── ExceptionGroup
        │   └── PipelineFailed     what went wrong in a run, raised once, at the door
        └── MinigunError
            ├── UsageError         fix your code: raised before the first item
            ├── ItemTimedOut       a stage took too long over an item; a `TimeoutError` as well
            ├── RunTimedOut        the run did not end in the time it was given
            ├── JobCancelled       a job was stopped before it ended, or never began
            ├── MemoryExceeded     a step needed more memory than it said
            ├── CheckpointError    the file of a checkpoint is damaged, not ours, in use, or full
            ├── TooManyFailures    more items of a stage failed than its ``max_failures``
            ├── WorkerDied         a worker ended while it ran an item
            ├── NotPicklable       an item, a result or an exception cannot cross to a process
            ├── RemoteError        stands for an exception that cannot be rebuilt here
            ├── ChannelError
            │   ├── EndOfChannel   every sender has closed and nothing is left
            │   ├── WouldBlock     not now: no item, or no room
            │   └── BrokenChannel  sent to a channel that nobody receives from any more
            ├── ContextError       a context was used in a way its state does not allow
            │   └── KindUnavailable  contexts of this kind cannot be opened just now
            └── InternalError      a bug in minigun_py, such as books that do not balance

    UserWarning
    └── PlanWarning                a plan differs from what was asked for

The two that are not an ``Exception`` pass through a stage's ``except Exception``: a stage
cannot swallow the end of its own run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from typing import Protocol

    class HasReport(Protocol):
        """A raised ending of a run carries the run's report."""

        report: Any


__all__ = [
    "BrokenChannel",
    "ChannelAborted",
    "ChannelError",
    "CheckpointError",
    "ContextError",
    "EndOfChannel",
    "InternalError",
    "ItemTimedOut",
    "JobCancelled",
    "KindUnavailable",
    "MemoryExceeded",
    "MinigunError",
    "NotPicklable",
    "PipelineFailed",
    "PlanWarning",
    "RemoteError",
    "RunCancelled",
    "RunTimedOut",
    "TooManyFailures",
    "UsageError",
    "WorkerDied",
    "WouldBlock",
]


class MinigunError(Exception):
    """Base of every ordinary error the library raises."""


class UsageError(MinigunError):
    """The program asks for something that cannot be; the message says what to write instead."""


class ContextError(MinigunError):
    """A context was asked for something that its state does not allow, such as joining it idle."""


class PlanWarning(UserWarning):
    """The plan is not what was asked for, since that cannot be here; it says what and why."""


class KindUnavailable(ContextError):
    """A context of this kind could be opened here at other times, and cannot be now."""


class InternalError(MinigunError):
    """The library broke a promise of its own. Please report it."""


class RunTimedOut(MinigunError):
    """The run was cancelled because its time was up. ``seconds`` is the time it was given."""

    report: Any = None

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"the run did not end within {self.seconds:g} s"


class ItemTimedOut(MinigunError, TimeoutError):
    """A stage took longer over an item than its ``timeout``; ``seconds`` is what it had."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"it did not end within {self.seconds:g} s"


class JobCancelled(MinigunError):
    """A job was stopped before it had ended, or never began, because of ``reason``."""

    def __init__(self, job: str, reason: object = None) -> None:
        super().__init__(job, reason)
        self.job, self.reason = job, reason

    def __str__(self) -> str:
        return f"job {self.job!r} was cancelled" + (f": {self.reason}" if self.reason else "")


class MemoryExceeded(MinigunError, MemoryError):
    """A step was stopped in a process, since it needed more than the ``limit`` that it had said."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"it needed more than the {self.limit} bytes of memory that it had said; say more, "
            "as in resources=Memory('2GiB'), or hold less at once"
        )


class CheckpointError(MinigunError):
    """The file of a checkpoint cannot be used as it is; the message says what to do."""


class TooManyFailures(MinigunError):
    """More items of a stage failed than its ``max_failures`` forgives; the last one is the cause.

    ``failures`` of ``received`` items had failed by then.
    """

    def __init__(self, stage: str, failures: int, received: int, most: float) -> None:
        super().__init__(stage, failures, received, most)
        self.stage, self.failures, self.received, self.most = stage, failures, received, most

    def __str__(self) -> str:
        return (
            f"{self.failures} of {self.received} items failed in stage {self.stage!r}, and its "
            f"max_failures is {self.most:g}"
        )


class WorkerDied(MinigunError):
    """A worker ended while it was running an item.

    ``status`` is the exit code, or the negated number of the signal, as in
    ``subprocess.Popen.returncode``; None when nothing is known.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message, status)
        self.status = status

    def __str__(self) -> str:
        return str(self.args[0])


class NotPicklable(MinigunError):
    """An item, a result or an exception cannot be sent to, or back from, another process."""


class RemoteError(MinigunError):
    """Stands for an exception that could not be rebuilt in this process.

    ``type_name`` is the qualified name of the original type; the text is the original's.
    """

    def __init__(self, type_name: str, text: str) -> None:
        super().__init__(type_name, text)
        self.type_name = type_name
        self.text = text

    def __str__(self) -> str:
        return f"{self.type_name}: {self.text}"


class ChannelError(MinigunError):
    """Base of what a channel says when it cannot do as asked."""


class EndOfChannel(ChannelError):
    """Every sender has closed and every item was received: the stream is complete."""


class WouldBlock(ChannelError):
    """The call would have to wait: there is no item to receive, or no room to send."""


class BrokenChannel(ChannelError):
    """The last receiver has closed: what is sent would never be received."""


class ChannelAborted(BaseException):
    """The stream was cut on purpose; ``reason`` says why. What had been waiting was discarded."""

    def __init__(self, reason: object = None) -> None:
        super().__init__(reason)
        self.reason = reason


class RunCancelled(BaseException):
    """The run was cancelled. Not an ``Exception``, so that a stage does not swallow it."""

    report: Any = None

    def __init__(self, reason: object = None) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return "the run was cancelled" + (f": {self.reason}" if self.reason else "")


class PipelineFailed(ExceptionGroup[Exception]):
    """What went wrong in a run. Inner errors keep their type and say stage and item in a note."""

    report: Any = None

    def derive(self, excs: Sequence[Exception], /) -> Self:  # type: ignore[override]
        """Keep the type and the report when the group is split by ``except*``."""
        part = type(self)(self.message, excs)
        part.report = self.report
        return part
