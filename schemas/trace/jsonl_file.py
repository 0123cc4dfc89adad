"""Traces as lines of JSON, an object each."""

from operator import attrgetter
from typing import Any, BinaryIO

import msgspec
import numpy as np

from soak.schemas.stream.block import Ints
from soak.schemas.trace.columns import Column
from soak.schemas.trace.csv_file import check_column, with_bad
from soak.schemas.trace.fields import WIDEST, Fields, column_of
from soak.schemas.trace.rows import Rows, TraceError, found
from soak.schemas.trace.settings import Known, Reading
from soak.schemas.trace.text_file import TextFile

_KEYS = ("time", "kind", "tenant", "service")
_Value = str | int | float | None


class JsonlFile(TextFile):
    """A file with an object per line; of each, the named keys are read."""

    def __init__(self, reading: Reading, known: Known) -> None:
        super().__init__(reading, known)
        self._reading = reading
        named = {key: getattr(reading, key) for key in _KEYS}
        self._named = {key: name for key, name in named.items() if name is not None}
        self._object = msgspec.defstruct(
            "Row", [(key, _Value, None) for key in self._named], rename=dict(self._named), gc=False
        )
        self._decoder = msgspec.json.Decoder(self._object)

    def begin(self, file: BinaryIO) -> int:
        """Look at the first object: are the keys there?"""
        start, line = file.tell(), 1
        while (first := file.readline(1 << 20)) and not first.strip():
            line += 1
        if not first:
            raise TraceError(f"{self.path.name}: is empty", "name a file that has rows")
        try:
            row = msgspec.json.decode(first)
        except (msgspec.DecodeError, UnicodeDecodeError):
            row = None
        if isinstance(row, list):
            raise TraceError(f"{self.path.name}: is a JSON array", "write an object per line (jq -c '.[]')")
        if isinstance(row, dict):
            for key, name in self._named.items():
                check_column(self.path.name, name, list(row), key)
        file.seek(start)
        return 1

    def parse(self, content: bytes, line: int) -> tuple[Rows, int, int]:
        """The whole rows of `content`."""
        used = content.rfind(b"\n") + 1
        buffer = np.frombuffer(content + bytes(WIDEST), dtype=np.uint8)
        ends = np.flatnonzero(buffer[:used] == 10)
        starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
        lines = line + np.arange(len(ends))
        try:
            # Blank lines are left out by the decoder, too; none of them is a row.
            rows: list[Any] = self._decoder.decode_lines(content[:used])
            bad: list[tuple[int, str]] = []
            if len(rows) < len(ends):
                filled = self._filled(content, starts, ends)
                starts, ends, lines = starts[filled], ends[filled], lines[filled]
        except (msgspec.DecodeError, UnicodeDecodeError):
            filled = self._filled(content, starts, ends)
            rows, good, bad = self._one_by_one(content, starts[filled], ends[filled], lines[filled])
            starts, ends, lines = starts[filled][good], ends[filled][good], lines[filled][good]
        columns = [self._column(list(map(attrgetter(key), rows)), key) if key in self._named else None for key in _KEYS]
        made = self.columns.rows(lines, columns, Fields(buffer, starts, ends - starts))
        if bad:
            made = with_bad(made, found([each for each, _ in bad], (what for _, what in bad)))
        return made, used, int((buffer[:used] == 10).sum())

    def _filled(self, content: bytes, starts: Ints, ends: Ints) -> Ints:
        """Which lines are not blank."""
        places = zip(starts.tolist(), ends.tolist(), strict=True)
        return np.array([n for n, (start, end) in enumerate(places) if content[start:end].strip()], dtype=np.int64)

    def _one_by_one(
        self, content: bytes, starts: Ints, ends: Ints, lines: Ints
    ) -> tuple[list[Any], Ints, list[tuple[int, str]]]:
        """Each row that can be decoded, where it is, and what is wrong with the others."""
        rows, good, bad = [], [], []
        for place, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
            try:
                rows.append(self._decoder.decode(content[start:end]))
                good.append(place)
            except msgspec.ValidationError:
                bad.append((int(lines[place]), "is not an object whose values are text and numbers"))
            except (msgspec.DecodeError, UnicodeDecodeError):
                bad.append((int(lines[place]), "is not JSON"))
        return rows, np.array(good, dtype=np.int64), bad

    def _column(self, values: list[_Value], key: str) -> Column:
        kinds = set(map(type, values))
        if key in {"time", "service"} and not kinds & {str}:
            known = [np.nan if value is None else value for value in values] if type(None) in kinds else values
            return np.array(known, dtype=np.float64)
        if kinds == {str}:
            return column_of(values)  # type: ignore[arg-type]
        return column_of(
            ["" if value is None else value if isinstance(value, str) else repr(value) for value in values]
        )
