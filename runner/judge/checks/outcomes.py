"""What each check answered and each step of the teardown came to: a fold over their events, one by one."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from msgspec import Struct

from soak.runner.judge.checks.series import VALUES, signed
from soak.schemas.language.check import numbered
from soak.schemas.language.model import Scenario
from soak.schemas.stream.block import Block
from soak.schemas.stream.by_kind import kind_flags
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

MOST_KEPT = 100
"""How many answers of a check are kept, the first one and the latest."""

_ENDS = kind_flags(Kind.CHECK_DONE, Kind.CHECK_FAILED, Kind.TEARDOWN_DONE, Kind.TEARDOWN_FAILED)
_FOLLOWED = VALUES | _ENDS | kind_flags(Kind.RUN_RESUMED)


class Answer(Struct, frozen=True):
    """One answer of a check: its values by name, texts of those that are not what was expected; `failed`: why there is none."""

    t_s: float
    took_s: float
    values: dict[str, float]
    texts: dict[str, str]
    failed: str = ""


@dataclass(slots=True)
class Answers:
    """All answers of a check for a tenant."""

    count: int = 0
    first: Answer | None = None
    latest: deque[Answer] = field(default_factory=lambda: deque(maxlen=MOST_KEPT - 1))
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def last(self) -> Answer | None:
        """The last one, or the last failure to answer."""
        return self.latest[-1] if self.latest else None

    @property
    def kept(self) -> list[Answer]:
        """Those that are kept, in order."""
        return [self.first, *self.latest] if self.first and self.count > len(self.latest) else [*self.latest]

    def add(self, answer: Answer) -> None:
        """One more."""
        self.count += 1
        self.first = self.first or answer
        self.latest.append(answer)
        if answer.failed:
            self.failures[answer.failed] += 1


class Done(Struct, frozen=True):
    """What a step of the teardown came to; `failed`: why it failed."""

    t_s: float
    took_s: float
    failed: str


class Outcomes:
    """Follows the events of checks. `answers`: by the place of the check and tenant; `teardown`: by place of the step and tenant.

    judged: called with each answer, in order.
    """

    def __init__(self, scenario: Scenario, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        places = {check.name: place for place, check in enumerate(scenario.checks)}
        self._values = [(places[check.name], name) for check, name in numbered(scenario.checks)]
        self._open: dict[tuple[int, str], tuple[dict[str, float], dict[str, str]]] = {}
        self._wanted = bool(scenario.checks or scenario.teardown)
        self.answers: dict[tuple[int, str], Answers] = {}
        self.teardown: dict[tuple[int, str], Done] = {}
        self.fresh: list[tuple[int, str, Answer]] = []
        """Answers of the last block."""

    def observe(self, block: Block) -> None:
        """Process a block."""
        self.fresh = []
        if not self._wanted or not (followed := _FOLLOWED[block.kind]).any():
            return
        found = block.take(followed)
        values = signed(found)
        for index in range(len(found)):
            kind = Kind(int(found.kind[index]))
            if kind is Kind.RUN_RESUMED:
                # What was done at an earlier end is to be done again at the next.
                self.teardown.clear()
            elif _ENDS[kind]:
                self._end(kind, found, index)
            else:
                self._value(found, index, float(values[index]))

    def _value(self, block: Block, index: int, value: float) -> None:
        place, name = self._values[int(block.worker[index])]
        values, texts = self._open.setdefault((place, self._tenant(block, index)), ({}, {}))
        values[name] = value
        if text := self._cause(block, index):
            texts[name] = text

    def _end(self, kind: Kind, block: Block, index: int) -> None:
        key, t_s, took_s = (int(block.worker[index]), self._tenant(block, index)), float(block.t[index]), 0.0
        took_s = 0.0 if np.isnan(block.value[index]) else float(block.value[index])
        failed = self._cause(block, index)
        if kind in {Kind.TEARDOWN_DONE, Kind.TEARDOWN_FAILED}:
            self.teardown[key] = Done(t_s, took_s, failed or ("unknown" if kind is Kind.TEARDOWN_FAILED else ""))
            return
        values, texts = self._open.pop(key, ({}, {}))
        answer = Answer(t_s, took_s, values, texts, failed or ("unknown" if kind is Kind.CHECK_FAILED else ""))
        self.answers.setdefault(key, Answers()).add(answer)
        self.fresh.append((*key, answer))

    def _tenant(self, block: Block, index: int) -> str:
        label = int(block.label[index])
        return self._vocabulary.labels[label].tenant if label >= 0 else ""

    def _cause(self, block: Block, index: int) -> str:
        return self._vocabulary.causes[int(block.cause[index])].error


def unanswered(scenario: Scenario, outcomes: Outcomes) -> Iterator[tuple[str, str]]:
    """The steps of the teardown that were not done, each with its tenant."""
    for place, step in enumerate(scenario.teardown):
        for tenant in step.tenants:
            if (place, tenant) not in outcomes.teardown:
                yield step.name, tenant
