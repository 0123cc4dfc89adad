"""errors.log: the first requests that failed, and how many did, by error."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from soak.runner.judge.account import Beside
from soak.runner.judge.gateway.ended import NO_STATUS, Ended
from soak.runner.judge.task_violations import errors
from soak.schemas.stream.events import task_name
from soak.schemas.stream.vocabulary import Vocabulary

MOST = 1_000
"""How many failed requests are listed one by one."""


class Failed:
    """Follows requests that fail."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._first: list[tuple[float, int, int, int, int]] = []
        self.counts: Counter[tuple[int, int]] = Counter()
        """By label of the stream and cause."""

    def observe(self, ended: Ended) -> None:
        """Take in requests that ended, in time order."""
        failed = ended.take(~ended.done)
        for label, cause in zip(failed.label.tolist(), failed.cause.tolist(), strict=True):
            self.counts[label, cause] += 1
        few = failed.take(np.arange(len(failed.t)) < MOST - len(self._first))
        columns = (few.t.tolist(), few.number.tolist(), few.label.tolist(), few.status.tolist(), few.cause.tolist())
        self._first += zip(*columns, strict=True)

    def text(self, beside: Beside) -> bytes:
        """The file."""
        return "".join(f"{line}\n" for line in self._lines(beside)).encode()

    def _lines(self, beside: Beside) -> Iterator[str]:
        words, total = errors(self._vocabulary), sum(self.counts.values())
        yield f"# {total:,} requests failed"
        by_error: Counter[str] = Counter()
        for (_, cause), count in self.counts.items():
            by_error[words[cause]] += count
        for error, count in sorted(by_error.items(), key=lambda each: (-each[1], each[0])):
            yield f"# {count:,} {error}"
        if total > len(self._first):
            yield f"# the first {len(self._first):,}:"
        for t_s, number, label, status, cause in self._first:
            said = self._vocabulary.labels[label] if 0 <= label < len(self._vocabulary.labels) else None
            fields = {
                "tenant": said.tenant if said else "",
                "kind": said.kind if said else "",
                "status": "" if status == NO_STATUS else str(status),
                "error": words[cause],
                "fault": self._vocabulary.causes[cause].fault,
                "task": task_name(number),
            }
            told = " ".join(f"{name}={value}" for name, value in fields.items() if value)
            yield f"{beside.moment(t_s).at} {t_s:.6f}s {told}"
