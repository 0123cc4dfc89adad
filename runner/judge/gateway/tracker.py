"""Requests followed a block at a time: what the series of a gateway's SLIs are made of."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from msgspec.structs import replace

from soak.runner.judge.gateway.answers import ANSWERS, Answers
from soak.runner.judge.gateway.generator import Generator
from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.lifecycle import Lifecycle
from soak.runner.judge.room import Law, Tasks, Tracker
from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import Facts, Samples
from soak.runner.judge.task_violations import errors
from soak.runner.judge.violations import Told, at, note
from soak.schemas.language.http import RequestError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import LEAST_LAG_REAL_S, Identity
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.systems.gateway.indicators import JAIN_INDEX

_COUNTED = {
    "wrong_answers": RequestError.WRONG_ANSWER,
    "throttled": RequestError.THROTTLED,
    "server_errors": RequestError.SERVER_ERROR,
    "timeouts": RequestError.TIMEOUT,
    "connection_errors": RequestError.CONNECTION_ERROR,
}
_RATES = {"wrong_answer": RequestError.WRONG_ANSWER, "throttle": RequestError.THROTTLED}
_GAUGES = {
    "in_service": Kind.SAMPLE_IN_SERVICE,
    "outbox": Kind.SAMPLE_OUTBOX,
    "load_cpu": Kind.SAMPLE_LOAD_CPU,
    "load_lag": Kind.SAMPLE_LOAD_LAG,
}
_FAILED = frozenset({"success", "recovery"})
"""Series whose violations are requests that failed, whatever their error."""

_UNANSWERED = frozenset({"timeout", "connection_error", "no_login", "unanswered"})


class GatewayTracker(Tracker):
    """Follows requests."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._labels = LabelNumbers(scenario)
        self._with_shares = JAIN_INDEX.name in scenario.slis
        self._answers = Answers()
        speed = identity.speed if identity else 1.0
        self._generator = Generator(max(scenario.telemetry.max_lag_s, LEAST_LAG_REAL_S * speed))

    def transient(self) -> Bools:
        """No request is made again."""
        return np.zeros(len(self._vocabulary.causes), dtype=bool)

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block."""
        self._generator.observe(block)
        rows = tasks.rows
        status = self._answers.observe(block, tasks, facts)
        ended = (rows.kind == Kind.TASK_DONE) | (rows.kind == Kind.TASK_FAILED)
        errors_ = np.array([cause.error for cause in self._vocabulary.causes])[rows.cause]
        errors_ = np.where(rows.kind == Kind.TASK_FAILED, errors_, "")
        facts.series["requests"] = rows.samples(ended, ended, tasks.label)
        for name, error in _COUNTED.items():
            chosen = errors_ == error.value
            facts.series[name] = rows.samples(ended, chosen, tasks.label)
            self._note(facts, name, block, tasks, chosen, status)
        for name, error in _RATES.items():
            facts.series[name] = rows.samples(ended, errors_ == error.value, tasks.label)
        unanswered = ended & np.isin(errors_, list(_UNANSWERED))
        facts.series["answered"] = rows.samples(ended, ~unanswered, tasks.label)
        self._note(facts, "answered", block, tasks, unanswered, status)
        if self._with_shares and tasks.label is not None:
            facts.series[JAIN_INDEX.series] = self._shares(rows, tasks.label)
        self._say_why(facts, rows, status, tasks.label)
        for name, kind in _GAUGES.items():
            chosen = block.kind == kind
            facts.series[name] = Samples(block.t[chosen], block.value[chosen])

    def laws(self, lifecycle: Lifecycle, *, complete: bool) -> Iterator[Law]:
        """See `Tracker`."""
        unasked, what = self._answers.unasked, "every answer is to a request that was sent before"
        if self._answers.seen:
            detail = f"{unasked:,} of {self._answers.seen:,} answers came without one" if unasked else ""
            yield Law(ANSWERS, what, float(unasked), detail)
        else:
            yield Law(ANSWERS, what, None, f"none of {lifecycle.offered:,} requests was answered")

    def load_doubts(self) -> Iterator[str]:
        """See `Tracker`."""
        return self._generator.doubts()

    def _note(self, facts: Facts, name: str, block: Block, tasks: Tasks, chosen: Bools, status: Ints) -> None:
        if name not in facts.wanted or not chosen.any():
            return
        here, places = tasks.rows.groups.in_time_order(chosen)
        answered, labels = status[here], at(tasks.label, here)
        cause = (block.cause[places], errors(self._vocabulary))
        note(facts, name, block, places, cause=cause, told=self._told(answered, labels), label=labels)

    def _told(self, status: Ints, labels: Ints | None) -> Callable[[int], Told]:
        """What is said of a request, by position: its status (-1: no answer), tenant and kind."""

        def told(position: int) -> Told:
            said = [f"status {status[position]}"] if status[position] >= 0 else []
            label = self._label(-1 if labels is None else int(labels[position]))
            return Told(detail=", ".join([*said, *(f"{name} {value}" for name, value in label.items() if value)]))

        return told

    def _say_why(self, facts: Facts, rows: Rows, status: Ints, label: Ints | None) -> None:
        """Of requests that failed: what is said of them in place of changes of state."""
        for number, each in enumerate(facts.violations):
            if each.of in _FAILED:
                order = np.argsort(rows.places, kind="stable")
                here = order[np.searchsorted(rows.places, each.places, sorter=order)]
                facts.violations[number] = replace(each, told=self._told(status[here], at(label, here)))

    def _label(self, number: int) -> Mapping[str, str]:
        """Tenant and kind of a number of `LabelNumbers`."""
        known = self._scenario.workload.labels
        place = number // self._labels.phases
        return {"tenant": known[place].tenant, "kind": known[place].kind} if 0 <= place < len(known) else {}

    def _shares(self, rows: Rows, label: Ints) -> Samples:
        """What was due, by the phase in which it was, and what succeeded, by the phase in which it ended."""
        due, done = (
            rows.kind == Kind.TASK_ENQUEUED,
            (rows.kind == Kind.TASK_DONE) & (rows.t < self._scenario.duration_s),
        )
        ended = self._labels.of(label // self._labels.phases, rows.t)
        found = rows.samples(due | done, done, np.where(done, ended, label))
        return Samples(found.t, found.value, weight=1 - found.value, label=found.label)
