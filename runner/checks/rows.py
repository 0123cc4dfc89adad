"""Results of checks as events."""

from soak.runner.checks.answers import Outcome
from soak.schemas.language.check import numbered
from soak.schemas.stream.block import Block, make_block, tick
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import NO_CAUSE
from soak.simulation.plan import Plan

_Row = tuple[Kind, int, int, int, float]
"""Kind, worker, label, cause, value."""


class Rows:
    """Events of checks, in the order in which they were found; one that was found late gets the time that was reached."""

    def __init__(self, plan: Plan) -> None:
        self._vocabulary, self._scenario = plan.vocabulary, plan.scenario
        places = {check.name: place for place, check in enumerate(self._scenario.checks)}
        self._number = {
            (places[check.name], name): n for n, (check, name) in enumerate(numbered(self._scenario.checks))
        }
        self._rows: list[tuple[float, list[_Row]]] = []
        self._complete_s = 0.0

    def began(self, t_s: float, count: int) -> None:
        """All work is over, and checks of what it left begin: their number."""
        self._rows.append((t_s, [(Kind.CHECKS_BEGAN, -1, -1, NO_CAUSE, float(count))]))

    def add(self, t_s: float, place: int, tenant: str, outcome: Outcome, took_s: float, *, teardown: bool) -> None:
        """What a check came to, or a step of the teardown."""
        label = self._vocabulary.label(tenant) if tenant else -1
        cause = self._cause(outcome.failed)
        if teardown:
            kind = Kind.TEARDOWN_FAILED if outcome.failed else Kind.TEARDOWN_DONE
            self._rows.append((t_s, [(kind, place, label, cause, took_s)]))
            return
        values = [self._value(place, name, value, label, outcome) for name, value in outcome.values.items()]
        kind = Kind.CHECK_FAILED if outcome.failed else Kind.CHECK_DONE
        self._rows.append((t_s, [*values, (kind, place, label, cause, took_s)]))

    def _value(self, place: int, name: str, value: float, label: int, outcome: Outcome) -> _Row:
        kind = Kind.CHECK_NEGATIVE if value < 0 else Kind.CHECK_VALUE
        return kind, self._number[place, name], label, self._cause(outcome.texts.get(name, "")), abs(value)

    def _cause(self, text: str) -> int:
        return self._vocabulary.cause("", text) if text else NO_CAUSE

    def take(self, until_s: float) -> Block | None:
        """The events up to a time, each after all that was taken before; None where there are none."""
        ready = [rows for t_s, rows in self._rows if tick(t_s) <= until_s]
        times = [max(tick(t_s), self._complete_s) for t_s, _ in self._rows if tick(t_s) <= until_s]
        self._rows = [each for each in self._rows if tick(each[0]) > until_s]
        self._complete_s = max(self._complete_s, until_s)
        return _block([(t_s, row) for t_s, rows in zip(times, ready, strict=True) for row in rows], until_s)

    def rest(self, now_s: float) -> Block | None:
        """All other events, as if they had been found at a time."""
        flat = [(now_s, row) for _, rows in self._rows for row in rows]
        self._rows = []
        return _block(flat, now_s)


def _block(found: list[tuple[float, _Row]], until_s: float) -> Block | None:
    """A block in time order, in which the events of one check stay together; None without any."""
    if not found:
        return None
    flat = sorted(found, key=lambda each: each[0])
    kind, worker, label, cause, value = zip(*(row for _, row in flat), strict=True)
    return make_block(
        [t_s for t_s, _ in flat],
        [int(each) for each in kind],
        until_s=until_s,
        worker=worker,
        label=label,
        cause=cause,
        value=value,
    )
