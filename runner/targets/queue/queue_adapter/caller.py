"""Calls to a queue that workers pull from."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from soak.contract import Accepted, BusyError, Claim, Expired, Failed, Refused, Retry
from soak.runner.targets.answers import flaw
from soak.runner.targets.caller import NONE, Caller, ContractError
from soak.runner.targets.lanes import Answer, Lane, Volley

AT_ONCE = 8
"""Number of concurrent claims from a thread-safe queue."""

_TWINS = 2


class QueueCaller(Caller):
    """A `Queue` with every answer checked.

    From a thread-safe queue, several threads claim at once: `prepare_claims` says for whom, `claims` returns the results.
    They start together with the next other call, so that the two overlap, or else when `claims` is called.
    """

    _volley: Volley | None = None

    @property
    def claiming(self) -> bool:
        """Whether claims that were prepared are being made."""
        return bool(self._volley and self._volley.fired)

    def prepare_claims(self, workers: Sequence[str]) -> None:
        """Claim for each of these, at most AT_ONCE, at the same moment as the next call."""
        self._volley = self._together([partial(self._claim, worker) for worker in workers])

    def claims(self) -> list[Claim | None | ContractError]:
        """The result of each claim; None also for a busy queue."""
        volley, self._volley = self._volley, None
        return [self._claimed(answer) for answer in volley.answers(self._patience_s)] if volley else []

    def drop_claims(self) -> None:
        """Claims that were prepared are not made."""
        volley, self._volley = self._volley, None
        if volley:
            volley.drop(self._patience_s)

    def enqueue_twice(self, key: str, payload: str) -> tuple[Accepted | Refused | None, Accepted | Refused | None]:
        """Offer a key from two threads at the same moment; None stands for BusyError."""
        if self._volley:
            self._volley.fire()
        twins = self._together([lambda: self.made.enqueue(key, payload)] * _TWINS)
        first, second = (self._offered(answer) for answer in twins.answers(self._patience_s))
        return first, second

    def close(self) -> None:
        """See `Caller`."""
        self.drop_claims()
        super().close()

    def _claim(self, worker: str) -> Any:
        return self.made.claim(worker)

    def _together(self, calls: Sequence[Callable[[], Any]]) -> Volley:
        free = [lane for lane in self._lanes[1:] if not lane.owes]
        new = [Lane(f"{self.name}-{number}") for number in range(len(self._lanes), len(self._lanes) + len(calls))]
        self._lanes += new[len(free) :]
        return Volley([*free, *new[len(free) :]], calls)

    def _wait(self, what: str, call: Callable[[], Any]) -> Answer:
        if self._volley:
            self._volley.fire()
        return super()._wait(what, call)

    def _claimed(self, answer: Answer | None) -> Claim | None | ContractError:
        try:
            claim: Claim | None = self._heard("claim", self._in_time(".claim", answer))
            self._check("claim", flaw(claim, (Claim, NONE)))
        except BusyError:
            return None
        except ContractError as error:
            return error
        return claim

    def _offered(self, answer: Answer | None) -> Accepted | Refused | None:
        try:
            offered: Accepted | Refused = self._heard("enqueue", self._in_time(".enqueue", answer))
        except BusyError:
            return None
        self._check("enqueue", flaw(offered, (Accepted, Refused)))
        return offered

    def claim(self, worker: str) -> Claim | None:
        """See `Queue`."""
        answer: Claim | None = self.ask("claim", (Claim, NONE), worker)
        return answer

    def heartbeat(self, claim: Claim) -> bool:
        """See `Queue`."""
        return bool(self.ask("heartbeat", (bool,), claim))

    def complete(self, claim: Claim) -> bool:
        """See `Queue`."""
        return bool(self.ask("complete", (bool,), claim))

    def fail(self, claim: Claim, error: str, *, transient: bool) -> Retry | Failed | Refused:
        """See `Queue`."""
        answer: Retry | Failed | Refused = self.ask("fail", (Retry, Failed, Refused), claim, error, transient=transient)
        return answer

    def block(self, claim: Claim, error: str) -> bool:
        """See `Queue`."""
        return bool(self.ask("block", (bool,), claim, error))

    def recover(self) -> list[Expired]:
        """See `Queue`."""
        found: list[Expired] = self.ask_for_list("recover", Expired)
        return found
