"""What is said of checks while a run goes on: a line on the console, and one in the log of the run."""

from collections.abc import Callable

from soak.runner.checks.answers import Outcome
from soak.runner.console import remark
from soak.runner.judge.checks.expected import found_in, why
from soak.runner.judge.checks.outcomes import Answer
from soak.schemas.errors import printable
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.check import Check, Step, When
from soak.schemas.units import show_count, show_duration

LOG = "checks.log"
"""Its name in the run directory."""


class Reporting:
    """Says what checks and steps of the teardown came to; write: appends to the log."""

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write

    def tell(self, t_s: float, step: Step, tenant: str, outcome: Outcome, took_s: float) -> None:
        """One came to its end."""
        name = f"{step.name}{f'{{tenant={tenant}}}' if tenant else ''}"
        what = "check" if isinstance(step, Check) else "teardown"
        more = f": {printable(outcome.more)}" if outcome.more else ""
        said = _words(step, outcome)
        self._write(f"{t_s:.3f}s {what} {name}: {said}{more} (took {took_s:.3f} s)\n".encode(errors="backslashreplace"))
        if self._is_told(step, outcome):
            warning = "" if isinstance(step, Check) or not outcome.failed else "warning: "
            remark(f"  {warning}{what} {name} at {show_duration(round(t_s, 1))}: {said}{more}")

    def _is_told(self, step: Step, outcome: Outcome) -> bool:
        """Whether the console says it: of what is made at an interval, only what is not as it should be."""
        if not isinstance(step, Check) or step.when in {When.BEFORE, When.AFTER}:
            return True
        answer = Answer(0.0, 0.0, outcome.values, outcome.texts, outcome.failed)
        holds = all(found_in(step, each, answer).status is Status.PASS for each in step.expected)
        return holds == (step.when is When.SETTLED)


def _words(step: Step, outcome: Outcome) -> str:
    values = [
        f"{name} {outcome.texts.get(name) or (_exact(step, name) if value else '') or show_count(value)}"
        for name, value in outcome.values.items()
    ]
    if outcome.failed:
        gave = "no answer, " if isinstance(step, Check) and not values else "failed, "
        return ", ".join([*values, f"{gave}{why(outcome.failed, step)}"])
    return ", ".join(values) or "done"


def _exact(step: Step, name: str) -> str:
    text = step.text_of(name) if isinstance(step, Check) else None
    return "" if text is None else str(text)
