"""Files of text, a piece at a time: whole rows, with their place in the file, so that a piece can be read again."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from soak.schemas.errors import reason, shortened
from soak.schemas.trace.columns import Columns
from soak.schemas.trace.rows import Place, Rows, TraceError
from soak.schemas.trace.settings import Known, Reading

PIECE_BYTES = 1 << 19
"""A piece is what lies between two newlines about this far apart: larger ones are no faster, and take more memory."""

LONGEST_ROW_BYTES = 1 << 24

_SIGNATURES = {
    b"\x1f\x8b": ("is compressed (gzip)", "unpack it"),
    b"PK\x03\x04": ("is a zip archive or a spreadsheet", "save it as CSV"),
    b"\x28\xb5\x2f\xfd": ("is compressed (zstd)", "unpack it"),
    b"PAR1": ("is a Parquet file", "write format: parquet"),
    b"\xff\xfe": ("is UTF-16 text", "save it as UTF-8"),
    b"\xfe\xff": ("is UTF-16 text", "save it as UTF-8"),
}
"""How other files begin, what they are and what to do."""


class TextFile(ABC):
    """A file of rows of text."""

    def __init__(self, reading: Reading, known: Known) -> None:
        self.path: Path = reading.path
        self.columns = Columns(reading, known)
        self._begun = False

    @abstractmethod
    def begin(self, file: BinaryIO) -> int:
        """Read what comes before the rows; returns the number of the line of the first row. Raises TraceError."""

    @abstractmethod
    def parse(self, content: bytes, line: int) -> tuple[Rows, int, int]:
        """The whole rows of `content`, of which the first is in `line`, how many bytes they take, and how many lines."""

    def pieces(self) -> Iterator[tuple[Place, Rows]]:
        """The whole file."""
        with opened(self.path) as file:
            line, self._begun = self.begin(file), True
            offset, carried = file.tell(), b""
            while read := file.read(PIECE_BYTES):
                content = carried + read
                rows, used, lines = self.parse(content, line)
                if used:
                    yield Place(offset, used, line), rows
                elif len(content) > LONGEST_ROW_BYTES:
                    what = f"{self.path.name}:{line}: a row longer than {LONGEST_ROW_BYTES:,} bytes begins here"
                    raise TraceError(what, "close the quote that is open there, or name another file")
                offset, line, carried = offset + used, line + lines, content[used:]
            if carried:
                rows, used, _ = self.parse(carried + b"\n", line)
                if not used:
                    raise TraceError(f"{self.path.name}:{line}: a quote is never closed from here on", "close it")
                yield Place(offset, len(carried), line), rows

    def again(self, place: Place) -> Rows:
        """One piece of it."""
        with opened(self.path) as file:
            if not self._begun:
                self.begin(file)
                self._begun = True
            file.seek(place.offset)
            content = file.read(place.size)
        return self.parse(content if content.endswith(b"\n") else content + b"\n", place.line)[0]


def opened(path: Path) -> BinaryIO:
    """The file, to be read from its beginning, behind a byte order mark. Raises TraceError for what is not text."""
    try:
        file = path.open("rb")
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else "is not the name of a file"
        what = f"{shortened(path.name)}: {why}"
        raise TraceError(what, "name a file in the folder of the scenario") from None
    first = file.read(4)
    for signature, (what, remedy) in _SIGNATURES.items():
        if first.startswith(signature):
            file.close()
            raise TraceError(f"{path.name}: {what}", remedy)
    file.seek(3 if first.startswith(b"\xef\xbb\xbf") else 0)
    return file
