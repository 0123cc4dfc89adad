"""Numbers that a process reports of itself. What is not there, or is not a number, is None: missing is missing, and never 0."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from soak.runner.targets.processes.requests import RequestError, request
from soak.schemas.target.model import Metric

_SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)(?:\s+-?\d+)?\s*$")
_LABEL = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}
_LAST_BYTES = 1_000_000
_PIECE_BYTES = 1_000_000


class MetricReader:
    """Reads one metric again and again; of a log only what is new each time."""

    def __init__(self, how: Metric) -> None:
        self._how = how
        self._offset = 0
        self._inode = -1
        self._logged: float | None = None

    async def read(self) -> float | None:
        """Its value now; None where it is missing."""
        how = self._how
        if how.log is not None:
            return self._of_log(Path(how.log))
        text = await _content(how.prometheus or how.json or "", how.timeout_s)
        if text is None:
            return None
        return of_page(text, how.name, how.labels or {}) if how.prometheus is not None else of_json(text, how.at)

    def _of_log(self, path: Path) -> float | None:
        """The last number in the log so far, or the sum of all; half a line at the end is left for the next time."""
        try:
            with path.open("rb") as file:
                state = path.stat()
                if state.st_ino != self._inode or state.st_size < self._offset:
                    # Another file, or one that was cut: what was there is known already.
                    self._inode, self._offset = state.st_ino, 0
                file.seek(self._offset)
                for line in _whole_lines(file):
                    self._offset += len(line)
                    self._take(line.decode(errors="replace"))
        except OSError:
            return self._logged
        return self._logged

    def _take(self, line: str) -> None:
        for found in re.finditer(self._how.pattern, line):
            value = _number(found[1])
            if value is not None:
                self._logged = value + (self._logged or 0.0) if self._how.total else value


def _whole_lines(file: Any) -> Iterator[bytes]:
    for line in file:
        if line.endswith(b"\n"):
            yield line


async def _content(where: str, timeout_s: float) -> str | None:
    """What is at a URL or in a file; None where there is nothing."""
    if where.startswith(("http://", "https://")):
        try:
            answer = await request(where, timeout_s)
        except RequestError:
            return None
        return answer.body.decode(errors="replace") if answer.status == 200 else None
    try:
        with Path(where).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LAST_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return None


def of_page(text: str, name: str, labels: Mapping[str, str]) -> float | None:
    """The sum of the samples of a metric on a page in Prometheus text format that have these labels; None without any."""
    values = []
    for line in text.split("\n"):
        found = _SAMPLE.match(line)
        if found and found["name"] == name and labels.items() <= _labels(found["labels"] or "").items():
            values.append(_number(found["value"]))
    known = [value for value in values if value is not None]
    return math.fsum(known) if known else None


def _labels(text: str) -> dict[str, str]:
    return {
        name: re.sub(r"\\.", lambda each: _ESCAPES.get(each[0], each[0]), value) for name, value in _LABEL.findall(text)
    }


def of_json(text: str, at: str) -> float | None:
    """The number at a path in a JSON document; of a file with one in each line, in the last whole one. None without it."""
    document = _document(text)
    for step in at.split("."):
        if isinstance(document, dict):
            document = document.get(step)
        elif (
            isinstance(document, list) and re.fullmatch(r"-?\d+", step) and -len(document) <= int(step) < len(document)
        ):
            document = document[int(step)]
        else:
            return None
    return _number(document)


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        pass
    for line in reversed(text.split("\n")):
        try:
            if line.strip():
                return json.loads(line)
        except ValueError:
            continue
    return None


def _number(value: object) -> float | None:
    """A finite number; None for anything else, what is written `NaN` included."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
