"""Why a run ends: collects what goes wrong, applies the policies, and cuts the run when it must.

Every part of a run holds the same verdict and tells it of failures. The first that the policy
does not forgive cancels the run's token, whose callbacks cut the channels. What is raised at the
door is read from here, once.

*Lock order*: one lock, a leaf; the token is cancelled, and observers and hooks are called, without
it. Hooks have a lock of their own, which the thread that calls them may take again.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from minigun_py.clock import Clock
from minigun_py.contexts.answer import ItemFailure
from minigun_py.engine.failure import Action, CrashBudget, Policy
from minigun_py.engine.ledger import Ledger
from minigun_py.engine.report import FailedItem
from minigun_py.errors import InternalError, RunCancelled, TooManyFailures, WorkerDied
from minigun_py.events import Event, ItemFailed, ItemRetried, Observers, StageEnded, WorkerReplaced
from minigun_py.plan.hooks import Hooks, takes_argument
from minigun_py.primitives.cancel import CancelToken

__all__ = ["Verdict"]

KEPT_FAILURES: Final = 1000


class Verdict:
    """What a run has come to so far. `save` is given each failed item, to put it in a capsule."""

    def __init__(
        self,
        token: CancelToken,
        ledger: Ledger,
        policies: Mapping[str, Policy],
        observers: Observers,
        clock: Clock,
        hooks: Hooks | None = None,
        save: Callable[[FailedItem[Any]], None] | None = None,
    ) -> None:
        self._token, self._ledger, self._policies = token, ledger, policies
        self.observers, self.clock, self.hooks = observers, clock, hooks or Hooks()
        self._save = save
        self._hook_turn = threading.RLock()  # hooks are called one at a time
        self._lock = threading.Lock()  # guards the lists and budgets below
        self._errors: list[Exception] = []
        self._failures: list[FailedItem[Any]] = []
        self._dead_letters: list[FailedItem[Any]] = []
        self._budgets: dict[str, CrashBudget] = {}

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What ended the run, first things first."""
        with self._lock:
            return tuple(self._errors)

    @property
    def failures(self) -> tuple[FailedItem[Any], ...]:
        """The first thousand failed items."""
        with self._lock:
            return tuple(self._failures)

    @property
    def dead_letters(self) -> tuple[FailedItem[Any], ...]:
        """The first thousand dead letters of stages that name nobody to get them."""
        with self._lock:
            return tuple(self._dead_letters)

    def policy(self, stage: str) -> Policy:
        """What a stage makes of its failures."""
        return self._policies.get(stage, _STRICT)

    def items_failed(self, failures: Sequence[ItemFailure]) -> list[tuple[FailedItem[Any], Action]]:
        """Items failed, and the ledger has them as failed. Puts them aside or ends the run.

        Returns what becomes of each.
        """
        decided: list[tuple[FailedItem[Any], Action]] = []
        for failure in failures:
            failed = FailedItem(failure.stage, failure.item, failure.error, failure.attempt)
            policy = self.policy(failure.stage)
            with self._lock:
                _keep(failed, self._failures)
            action = self._decide(policy, failed)
            decided.append((failed, action))
            if action is Action.SKIP:
                self._ledger.put_aside(failure.stage, skipped=1)
            elif action is Action.DEAD_LETTER:
                self._ledger.put_aside(failure.stage, dead_lettered=1)
                if not policy.delivers:
                    with self._lock:
                        _keep(failed, self._dead_letters)
            if self._save is not None:
                self._save(failed)
            self._tell_failed(failed, action)
            self.call_hooks("on_failure", failed)
            if action is Action.FAIL:
                self.fail(_noted(failed))
            else:
                self.look_at(failure.stage, failed.error)
        return decided

    def look_at(self, stage: str, last: Exception | None = None) -> None:
        """End the run if more items of a stage have failed than its policy forgives."""
        policy = self.policy(stage)
        if policy.most is None:
            return
        failures, received = self._ledger.failures(stage)
        if not policy.forgives(failures, received):
            error = TooManyFailures(stage, failures, received, policy.most)
            error.__cause__ = last
            self.fail(error)

    def _decide(self, policy: Policy, failed: FailedItem[Any]) -> Action:
        """What becomes of an item. A function that cannot tell ends the run."""
        try:
            return policy.decide(failed)
        except Exception as error:
            error.add_note(f"in on_error of stage {failed.stage!r}")
            self.fail(error)
            return Action.FAIL

    def _tell_failed(self, failed: FailedItem[Any], action: Action) -> None:
        self.tell(lambda at: ItemFailed(at, failed.stage, failed.item, failed.error, action.value))

    def item_retried(
        self, stage: str, item: object, error: Exception, attempt: int, wait: float
    ) -> None:
        """An attempt has failed; after `wait` seconds there will be another."""
        self.tell(lambda at: ItemRetried(at, stage, item, error, attempt, wait))

    def stages_ended(self, stages: Sequence[str]) -> None:
        """The lane of these stages has ended."""
        for stage in stages:
            if not self._token.cancelled:
                self.look_at(stage)
            self.tell(functools.partial(StageEnded, stage=stage))
            self.call_stage_hooks("after", stage)

    def call_hooks(self, kind: str, *args: Any) -> bool:
        """Call the hooks of a kind. One that raises ends the run. False if one did."""
        done = [self._call_hook(function, kind, *args) for function in self.hooks.of(kind)]
        return all(done)

    def call_stage_hooks(self, kind: str, stage: str) -> bool:
        """Call the hooks of a stage. One that raises ends the run. False if one did."""
        functions = self.hooks.of_stage(kind, stage)
        done = [self._call_hook(function, f"{kind}({stage!r})") for function in functions]
        return all(done)

    def _call_hook(self, function: Callable[..., Any], kind: str, *args: Any) -> bool:
        wanted = args if not args or takes_argument(function) else ()
        try:
            with self._hook_turn:
                function(*wanted)
        except Exception as error:
            error.add_note(f"in hook {kind}")
            self.fail(error)
            return False
        return True

    def worker_died(self, stage: str, death: WorkerDied) -> None:
        """A worker was replaced. Too many deaths in a short time end the run."""
        with self._lock:
            budget = self._budgets.setdefault(stage, CrashBudget())
            within = budget.spend(self.clock.now())
        self.tell(lambda at: WorkerReplaced(at, stage, death.status))
        if not within:
            why = f"more than {budget.DEATHS} workers of {stage} died within {budget.SECONDS:g} s"
            error = WorkerDied(f"{why}; the last one: {death}", death.status)
            self.fail(error)

    def fail(self, error: Exception) -> None:
        """End the run because of this error. Only the first ones are kept: the rest follow."""
        with self._lock:
            first = not self._errors
            if first or not self._token.cancelled:
                self._errors.append(error)
        if first:
            self._token.cancel(error)

    def lane_failed(self, stage: str, error: BaseException) -> None:
        """Something other than an item's failure ended the lane that begins with `stage`."""
        if isinstance(error, RunCancelled):
            self._token.cancel(error.reason)
        elif isinstance(error, Exception):
            self.fail(error)
        else:
            self.fail(WorkerDied(f"stage {stage!r} raised {type(error).__name__}"))

    def audit(self, imbalances: Sequence[str]) -> None:
        """Books that do not balance join what is raised."""
        if imbalances:
            error = InternalError("the books do not balance: " + "; ".join(imbalances))
            with self._lock:
                self._errors.append(error)

    def tell(self, make: Callable[[float], Event]) -> None:
        """Send an event, which is made only if somebody listens."""
        if self.observers:
            self.observers.send(make(self.clock.now()))


_STRICT: Final = Policy()


def _keep(failed: FailedItem[Any], among: list[FailedItem[Any]]) -> None:
    if len(among) < KEPT_FAILURES:
        among.append(failed)


def _noted(failed: FailedItem[Any]) -> Exception:
    where = f"in stage {failed.stage!r}, on item {failed.shown(200)}"
    failed.error.add_note(f"{where}, attempt {failed.attempts}")
    return failed.error
