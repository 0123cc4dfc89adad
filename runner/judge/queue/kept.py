"""Which promises of a task system a run kept, broke or never put to the test: a table of the report. It decides nothing."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np

from soak.runner.judge.queue.redelivery import Stranded
from soak.runner.judge.rows import Rows
from soak.runner.judge.samples import Facts
from soak.schemas.evidence.verdict import Section
from soak.schemas.stream.block import Bools
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.systems.queue.indicators import DUPLICATES_BY_CAUSE
from soak.schemas.target.model import Promise
from soak.schemas.units import show_duration

TITLE = "Promises"

LEVELS: Mapping[int, str] = {
    0: "submissions and bodies",
    1: "submissions, bodies, processes of workers",
    2: "submissions, bodies, processes of workers, services",
    3: "submissions, bodies, processes of workers, services, a census",
    4: "submissions, bodies, and the account that the system gives of its tasks",
}
"""What is known of a system, by level."""

_WHILE_RUNNING, _AFTER_DONE = DUPLICATES_BY_CAUSE
_SERIES = (
    "duplicate_executions",
    *DUPLICATES_BY_CAUSE,
    "duplicate_block",
    "backoff_violations",
    "excess_attempts",
    "guardrail_unblocked",
    "lease_recovery",
    "redelivery_time",
)
_RETRIED, _PERMANENT, _REVIVED = "retried", "permanent", "revived"

Said: TypeAlias = tuple[bool | None, str]
"""Whether a promise was kept (None: not tested), and what was seen."""


class Kept:
    """Counts what promises are about; `section` says what became of each."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._seen, self._sums = Counter[str](), Counter[str]()
        self._longest_s = 0.0

    def observe(self, rows: Rows, transient: Bools, facts: Facts) -> None:
        """Process a block, of which the facts are known; transient: by cause."""
        for series in _SERIES:
            samples = facts.get(series)
            self._seen[series] += len(samples)
            self._sums[series] += round(float(samples.value.sum())) if len(samples) else 0
        took = facts.get("redelivery_time").value
        self._longest_s = max(self._longest_s, float(took.max()) if len(took) else 0.0)
        retry, failed = rows.kind == Kind.TASK_RETRY, rows.kind == Kind.TASK_FAILED
        passing, again = transient[rows.cause], retry | (rows.kind == Kind.TASK_DISPATCHED)
        self._seen[_RETRIED] += int(np.count_nonzero(retry & passing))
        self._seen[_PERMANENT] += int(np.count_nonzero(failed & ~passing))
        self._seen[_REVIVED] += int(np.count_nonzero(again & (rows.before == TaskState.FAILED)))

    def section(self, stranded: Stranded, died: int, failed: int) -> Section:
        """The table. died, failed: tasks not started again in time after their execution had died, or had failed."""
        told = dict(self._told(stranded, died, failed))
        promised = self._identity.promises or ()
        rows = [[each.value, *_result(told.get(each))] for each in Promise if each in promised]
        if others := ", ".join(each.value for each in Promise if each not in promised):
            rows.append([others, "not applicable", "not promised"])
        level = self._identity.level
        known = f"Judged at level {level}: {LEVELS[level]}." if level is not None else ""
        return Section(TITLE, ["promise", "result", "what was seen"], rows, known)

    def _told(self, stranded: Stranded, died: int, failed: int) -> Iterator[tuple[Promise, Said]]:
        yield Promise.AT_LEAST_ONCE, self._at_least_once(stranded)
        yield Promise.EXACTLY_ONCE_EFFECT, self._exactly_once(stranded)
        ran = self._seen["duplicate_executions"]
        yield Promise.EXCLUSIVE, _count(ran, self._sums[_WHILE_RUNNING], "executions", "while another one ran")
        copies, blocked = self._seen["duplicate_block"], self._sums["duplicate_block"]
        yield Promise.IDEMPOTENT_KEYS, _count(copies, copies - blocked, "second submissions", "accepted")
        beyond = self._sums["excess_attempts"]
        lacking = (
            f"{failed:,} {'task was' if failed == 1 else 'tasks were'} not started again after it had failed"
            if failed
            else ""
        )
        extra = f"{beyond:,} attempts beyond the most" if beyond else ""
        retried = self._seen[_RETRIED]
        broken = "; ".join(filter(None, [lacking, extra]))
        yield (
            Promise.RETRIES,
            (
                not broken if retried or broken else None,
                broken or f"{retried:,} {'retry' if retried == 1 else 'retries'}",
            ),
        )
        early = self._sums["backoff_violations"]
        yield (
            Promise.BACKOFF,
            _count(self._seen["backoff_violations"], early, "attempts", "before their backoff was over"),
        )
        revived = self._seen[_REVIVED]
        yield Promise.PERMANENT_ERRORS, _count(self._seen[_PERMANENT], revived, "permanent failures", "tried again")
        yield Promise.REDELIVERY, self._redelivered(died)
        expired, recovered = self._seen["lease_recovery"], self._sums["lease_recovery"]
        yield Promise.LEASES, _count(expired, max(0, expired - recovered), "tasks with expired leases", "not recovered")
        over = self._seen["guardrail_unblocked"]
        yield (
            Promise.GUARDRAIL,
            _count(over, self._sums["guardrail_unblocked"], "tasks over their budget", "not blocked"),
        )

    def _at_least_once(self, stranded: Stranded) -> Said:
        if stranded.lost:
            return False, f"{stranded.lost:,} lost"
        if stranded.waiting:
            return None, f"{stranded.waiting:,} tasks may still be lost"
        again = self._seen["redelivery_time"]
        return (
            (True, f"{again:,} started again after their execution had died") if again else (None, "no execution died")
        )

    def _exactly_once(self, stranded: Stranded) -> Said:
        if again := self._sums["duplicate_executions"]:
            after = self._sums[_AFTER_DONE]
            return False, f"{again:,} executions too many, {after:,} of them after DONE"
        kept, said = self._at_least_once(stranded)
        return kept, f"{said}; none of {self._seen['duplicate_executions']:,} executions was one too many"

    def _redelivered(self, died: int) -> Said:
        bound_s, again = self._identity.redelivery_s, self._seen["redelivery_time"]
        if died and bound_s is not None:
            return (
                False,
                f"{_tasks(died)} not started again within {show_duration(bound_s)}",
            )
        if not again or bound_s is None:
            return None, "no execution died" if bound_s is not None else "without a bound"
        words = f"started again after {show_duration(self._longest_s)} at most ({show_duration(bound_s)} promised)"
        return self._longest_s <= bound_s, words


def _count(of: int, broken: int, what: str, how: str) -> Said:
    if not of:
        return None, f"no {what}"
    return not broken, f"{broken:,} of {of:,} {what} {how}"


def _result(said: Said | None) -> tuple[str, str]:
    kept, words = said or (None, "")
    return {True: "kept", False: "broken", None: "not tested"}[kept], words


def _tasks(number: int) -> str:
    return f"{number:,} {'task was' if number == 1 else 'tasks were'}"
