"""What requests show of a fault: those that fail, and how long the service takes to answer."""

import math

import numpy as np

from soak.schemas.language.http import RequestError
from soak.schemas.stream.block import Block, Bools, Floats
from soak.schemas.stream.events import Kind
from soak.schemas.stream.vocabulary import Vocabulary

_OF_SERVICE = (RequestError.SERVER_ERROR, RequestError.TIMEOUT, RequestError.CONNECTION_ERROR)
"""Errors by which a part of the service that is gone shows; what a scenario expects wrongly is none of them."""

_ENOUGH = 5


class Watch:
    """Follows blocks of requests. counts: of their ends, by kind of event."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.counts = dict.fromkeys((Kind.TASK_DISPATCHED, Kind.TASK_DONE, Kind.TASK_FAILED, Kind.TASK_CANCELLED), 0)
        self._failed_s = np.empty(0)
        self._sent_number, self._sent_s = np.empty(0, dtype=np.int64), np.empty(0)
        self._took_s, self._ended_s = np.empty(0), np.empty(0)

    def observe(self, block: Block) -> None:
        """Take in a block."""
        for kind in self.counts:
            self.counts[kind] += int((block.kind == kind).sum())
        self._failed_s = _newest(self._failed_s, block.t[self._failed(block)])
        self._measure(block)

    def _failed(self, block: Block) -> Bools:
        errors = np.array([cause.error in _OF_SERVICE for cause in self._vocabulary.causes])
        of_service: Bools = (block.kind == Kind.TASK_FAILED) & errors[block.cause]
        return of_service

    def _measure(self, block: Block) -> None:
        """How long requests took from their sending on; only the newest are kept."""
        sent, ended = (
            block.kind == Kind.TASK_DISPATCHED,
            (block.kind == Kind.TASK_DONE) | (block.kind == Kind.TASK_FAILED),
        )
        number = np.concatenate([self._sent_number, block.task[sent]])
        sent_s = np.concatenate([self._sent_s, block.t[sent]])
        order = np.argsort(number, kind="stable")
        number, sent_s = number[order], sent_s[order]
        there = np.isin(block.task[ended], number)
        its, its_s = block.task[ended][there], block.t[ended][there]
        took_s = its_s - sent_s[np.searchsorted(number, its)]
        self._took_s, self._ended_s = _newest(self._took_s, took_s), _newest(self._ended_s, its_s)
        open_ = ~np.isin(number, its)
        self._sent_number, self._sent_s = number[open_], sent_s[open_]

    def failed_within(self, since_s: float, until_s: float) -> bool:
        """Whether a request failed in a time that the service did not answer, or with an error of its own."""
        return bool(((self._failed_s >= since_s) & (self._failed_s <= until_s)).any())

    def median_s(self, since_s: float = -math.inf, until_s: float = math.inf) -> float:
        """How long the median of the newest requests took that were sent in a time; not a number where they are too few."""
        sent_s = self._ended_s - self._took_s
        chosen = self._took_s[(sent_s >= since_s) & (sent_s < until_s)]
        return float(np.median(chosen)) if len(chosen) >= _ENOUGH else math.nan


_KEPT = 2_000


def _newest(before: Floats, more: Floats) -> Floats:
    return np.concatenate([before, more])[-_KEPT:]
