"""Selection of recipients and messages during a run."""

from collections.abc import Callable
from pathlib import Path

from soak.runner.judge.samples import Facts
from soak.runner.notify.digest import Digest, digest_of
from soak.runner.notify.message import Message, Send, Tone
from soak.runner.notify.picture import Pictured
from soak.runner.notify.sender import Receiver, sender_to
from soak.runner.secrets import secret_of
from soak.schemas.errors import UsageError
from soak.schemas.evidence.manifest import Notifications
from soak.schemas.evidence.verdict import Outcome, Verdict
from soak.schemas.language.conditions import Severity
from soak.schemas.language.model import Scenario
from soak.schemas.language.outlets import Occasion
from soak.schemas.stream.block import Block
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.units import show_duration

_OCCASIONS = {
    Kind.ALERT_FIRED: (Occasion.FIRING, "fires"),
    Kind.ALERT_RESOLVED: (Occasion.RESOLVED, "resolves"),
    Kind.RUN_ABORTED: (Occasion.ABORTED, "held; the run is aborted"),
}


_TONES = {
    Severity.INFO: Tone.INFO,
    Severity.WARNING: Tone.WARNING,
    Severity.CRITICAL: Tone.FAILURE,
    None: Tone.FAILURE,
}
"""By severity; an abort has none."""

_ENDS = {Outcome.PASS: Tone.SUCCESS, Outcome.INCONCLUSIVE: Tone.WARNING}


class Notifier:
    """A sink of the engine; `run`: its name in messages. Raises UsageError for a recipient without a valid URL."""

    def __init__(
        self,
        scenario: Scenario,
        vocabulary: Vocabulary,
        folder: Path,
        run: str,
        make: Callable[[str, str], Send] = sender_to,
    ) -> None:
        self._scenario = scenario
        self._vocabulary = vocabulary
        self._run = run
        self._severity = {alert.condition.name: alert.severity for alert in scenario.alerts}
        self._pictured = Pictured(scenario)
        self._receivers: list[tuple[frozenset[Occasion], Receiver]] = []
        for notify in scenario.notify:
            name = notify.to.from_env or str(notify.to.from_file)
            try:
                send = make(name, secret_of(notify.to, folder, "notify", "URL"))
            except ValueError as error:
                raise UsageError(str(error)) from None
            self._receivers.append((notify.when, Receiver(name, send)))

    def append(self, block: Block, facts: Facts) -> None:
        """Send notifications for the events of a block."""
        self._pictured.append(facts)
        for kind, (occasion, words) in _OCCASIONS.items():
            for t_s, name in zip(
                *(column[block.kind == kind].tolist() for column in (block.t, block.value)), strict=True
            ):
                named = self._vocabulary.names[int(name)]
                severity = self._severity.get(named)
                tone = Tone.SUCCESS if occasion is Occasion.RESOLVED else _TONES[severity]
                title = f"{named}{f' ({severity.value})' if severity else ''} {words}"
                self._tell(occasion, title, f"at {show_duration(t_s)} of scenario time", tone)

    def finished(self, verdict: Verdict) -> None:
        """Send the verdict."""
        reasons = "\n".join([*verdict.reasons, *verdict.caveats]) or "every objective holds"
        tone = _ENDS.get(verdict.verdict, Tone.FAILURE)
        if any(Occasion.FINISHED in when for when, _ in self._receivers):
            digest = digest_of(verdict, self._scenario, self._run, self._pictured.drawn())
            self._tell(Occasion.FINISHED, verdict.headline, reasons, tone, digest)

    def _tell(self, occasion: Occasion, title: str, text: str, tone: Tone, digest: Digest | None = None) -> None:
        message = Message(f"soak {self._scenario.name}: {title}", f"{text}\nrun {self._run}", tone, digest)
        for when, receiver in self._receivers:
            if occasion in when:
                receiver.tell(message)

    def close(self, until: float) -> Notifications | None:
        """Wait for messages in flight, up to a time of the monotonic clock; returns how many messages were sent.

        None without recipients.
        """
        for _, receiver in self._receivers:
            receiver.close(until)
        if not self._receivers:
            return None
        counts = [receiver.count for _, receiver in self._receivers]
        return Notifications(sum(count.sent for count in counts), sum(count.failed for count in counts))
