"""Which attempts of a task count towards its last one, and how long one has to wait for the next."""

from collections.abc import Sequence

import numpy as np

from soak.runner.judge.rows import Rows
from soak.schemas.language.faults import FaultSpec
from soak.schemas.stream.block import Bools, Ints
from soak.schemas.stream.events import Kind
from soak.schemas.stream.identity import Identity
from soak.schemas.stream.states import TaskState
from soak.schemas.stream.vocabulary import Vocabulary
from soak.schemas.target.model import Promise

DIED = frozenset({"process_gone", "runner_gone"})
"""Errors with which the ledger ends an execution whose process died."""

REDELIVERED = "redelivered"
"""The error of a task that is started again although no execution of it has failed."""

_BEYOND = 1_000_000

FAILURES = "failures"
"""Column of tasks: how many of their executions have failed."""


def is_death(specs: Sequence[FaultSpec | None], vocabulary: Vocabulary) -> Bools:
    """By cause: whether what ends or is started again with it is so because a process died, or without any failure."""
    by_fault = [spec is not None and (spec.dies or Kind.PROCESS_EXITED in spec.seen_by) for spec in specs]
    by_error = [cause.error in DIED or cause.error == REDELIVERED for cause in vocabulary.causes]
    died: Bools = np.array(by_fault) | np.array(by_error)
    return died


def only_failures_count(identity: Identity | None) -> bool:
    """Whether the target is one whose attempts are not used up by workers that die."""
    return identity is not None and identity.promises is not None and Promise.CRASHES_COUNT not in identity.promises


def failures(rows: Rows, fails: Bools) -> Ints:
    """The attempts of each row's task up to it, of those that count: the failed ones, and the one that the row begins.

    fails: by cause, whether an execution that ends with it has failed. Needs the column `FAILURES`.
    """
    failed = ((rows.kind == Kind.EXECUTION_ENDED) & fails[rows.cause]).astype(np.int64)
    # What begins another life of a task that has FAILED is beyond its last attempt, however many there were.
    failed[(rows.kind == Kind.TASK_RETRY) & (rows.before == TaskState.FAILED)] = _BEYOND
    failed = (rows.groups.running(failed) + rows.known(FAILURES)).astype(np.int64)
    rows.keep(**{FAILURES: failed})
    counted: Ints = failed + (rows.kind == Kind.TASK_DISPATCHED)
    return counted
