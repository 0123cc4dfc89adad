"""Why requests failed, in words: the first ones of each error, in a file beside the events, which know the error alone."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from soak.runner.load.generator import Detail
from soak.schemas.errors import writing
from soak.schemas.stream.events import task_name

FILE = "errors.jsonl"

_KEPT = 200
"""Of each error."""


class Reasons:
    """Appends them to a file, which is there once a request has failed. It holds no secrets: `Detail` has none."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._counts: Counter[str] = Counter()

    def take(self, details: Iterable[Detail]) -> None:
        """Write what is new. Raises OutputError."""
        lines = []
        for each in details:
            self._counts[each.error] += 1
            if self._counts[each.error] <= _KEPT:
                line = {
                    "t": round(each.t_s, 6),
                    "task": task_name(each.number),
                    "error": each.error,
                    "status": each.status,
                }
                lines.append(json.dumps({**line, "reason": each.reason}, ensure_ascii=False) + "\n")
        if lines:
            with writing(self._path), self._path.open("a", encoding="utf-8") as file:
                file.writelines(lines)
