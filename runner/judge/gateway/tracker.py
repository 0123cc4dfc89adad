"""Requests followed a block at a time: what the series of a gateway's SLIs are made of."""

import numpy as np

from soak.runner.judge.labels import LabelNumbers
from soak.runner.judge.room import Tasks, Tracker
from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import Facts, Samples
from soak.schemas.language.http import RequestError
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block, Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
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
_UNANSWERED = frozenset({"timeout", "connection_error", "no_login", "unanswered"})


class GatewayTracker(Tracker):
    """Follows requests."""

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary, identity: Identity | None) -> None:
        super().__init__(scenario, vocabulary, identity)
        self._labels = LabelNumbers(scenario)
        self._with_shares = JAIN_INDEX.name in scenario.slis

    def transient(self) -> Bools:
        """No request is made again."""
        return np.zeros(len(self._vocabulary.causes), dtype=bool)

    def observe(self, block: Block, tasks: Tasks, facts: Facts) -> None:
        """Take in a block."""
        rows = tasks.rows
        ended = (rows.kind == Kind.TASK_DONE) | (rows.kind == Kind.TASK_FAILED)
        errors = np.array([cause.error for cause in self._vocabulary.causes])[rows.cause]
        errors = np.where(rows.kind == Kind.TASK_FAILED, errors, "")
        facts.series["requests"] = rows.samples(ended, ended, tasks.label)
        for name, error in _COUNTED.items():
            facts.series[name] = rows.samples(ended, errors == error.value, tasks.label)
        for name, error in _RATES.items():
            facts.series[name] = rows.samples(ended, errors == error.value, tasks.label)
        facts.series["answered"] = rows.samples(ended, ~np.isin(errors, list(_UNANSWERED)), tasks.label)
        if self._with_shares and tasks.label is not None:
            facts.series[JAIN_INDEX.series] = self._shares(rows, tasks.label)
        for name, kind in _GAUGES.items():
            chosen = block.kind == kind
            facts.series[name] = Samples(block.t[chosen], block.value[chosen])

    def _shares(self, rows: Rows, label: Ints) -> Samples:
        """What was due, and what ended well, of each tenant: the one by the phase in which it was due, the other in which it ended."""
        due, done = rows.kind == Kind.TASK_ENQUEUED, (rows.kind == Kind.TASK_DONE) & (rows.t < self._scenario.duration_s)
        ended = self._labels.of(label // self._labels.phases, rows.t)
        found = rows.samples(due | done, done, np.where(done, ended, label))
        return Samples(found.t, found.value, weight=1 - found.value, label=found.label)
