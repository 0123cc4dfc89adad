"""Calls to a queue that workers pull from."""

from runner.targets.caller import NONE, Caller
from runner.targets.contract import Claim, Expired, Failed, Refused, Retry


class QueueCaller(Caller):
    """A `Queue` whose every answer is checked."""

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
