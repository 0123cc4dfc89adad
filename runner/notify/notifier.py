"""Who is told of what, while a run goes on."""

from collections.abc import Callable
from pathlib import Path

from runner.judge.samples import Facts
from runner.notify.sender import Receiver, Send, apprise_sender
from runner.secrets import secret_of
from schemas.block import Block
from schemas.errors import UsageError
from schemas.events import Kind, Vocabulary
from schemas.manifest import Notifications
from schemas.model import Scenario
from schemas.outlets import Occasion
from schemas.units import show_duration
from schemas.verdict import Verdict

_OCCASIONS = {
    Kind.ALERT_FIRED: (Occasion.FIRING, "fires"),
    Kind.ALERT_RESOLVED: (Occasion.RESOLVED, "is resolved"),
    Kind.RUN_ABORTED: (Occasion.ABORTED, "held, the run is aborted"),
}


class Notifier:
    """A sink of the engine. Raises UsageError when someone to tell cannot be found."""

    def __init__(
        self,
        scenario: Scenario,
        vocabulary: Vocabulary,
        folder: Path,
        make: Callable[[str, str], Send] = apprise_sender,
    ) -> None:
        self._scenario = scenario
        self._vocabulary = vocabulary
        self._severity = {alert.condition.name: alert.severity.value for alert in scenario.alerts}
        self._receivers: list[tuple[frozenset[Occasion], Receiver]] = []
        for notify in scenario.notify:
            name = notify.to.from_env or str(notify.to.from_file)
            try:
                send = make(name, secret_of(notify.to, folder, "notify", "URL"))
            except ValueError as error:
                raise UsageError(str(error)) from None
            self._receivers.append((notify.when, Receiver(name, send)))

    def append(self, block: Block, facts: Facts) -> None:
        """Tell of what a block says."""
        for kind, (occasion, words) in _OCCASIONS.items():
            for t_s, name in zip(
                *(column[block.kind == kind].tolist() for column in (block.t, block.value)), strict=True
            ):
                named = self._vocabulary.names[int(name)]
                severity = f" ({self._severity[named]})" if named in self._severity else ""
                self._tell(occasion, f"{named}{severity} {words}", f"at {show_duration(t_s)} of scenario time")

    def finished(self, verdict: Verdict) -> None:
        """Tell of the verdict."""
        reasons = "\n".join(verdict.reasons) or "every objective holds"
        self._tell(Occasion.FINISHED, verdict.verdict.value, reasons)

    def _tell(self, occasion: Occasion, title: str, text: str) -> None:
        for when, receiver in self._receivers:
            if occasion in when:
                receiver.tell(f"soak {self._scenario.name}: {title}", text)

    def close(self, until: float) -> Notifications | None:
        """Wait for what is on its way, up to a time of the monotonic clock; returns how many messages were sent.

        None when there is nobody to tell.
        """
        for _, receiver in self._receivers:
            receiver.close(until)
        if not self._receivers:
            return None
        counts = [receiver.count for _, receiver in self._receivers]
        return Notifications(sum(count.sent for count in counts), sum(count.failed for count in counts))
