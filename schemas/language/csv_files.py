"""Files of values for HTTP requests: CSV with a header."""

import csv
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from soak.schemas.errors import WordingError, quoted
from soak.schemas.files import Folders

_WITHHELD = "# rows are not kept:"
"""How the only line begins that follows the header where the rows are left out."""


class Table(Struct, frozen=True):
    """The rows of a data file: every row has a text for each column; none where a copy of the file withholds them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_OF_EVIDENCE = frozenset({"metrics.csv", "processes.csv"})
"""Files of the evidence, which holds a copy of a data file under its own name."""


def read_data_file(name: str, folders: Folders) -> Table:
    """The rows of a file in the folder of a scenario. Raises WordingError."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise WordingError(f"{quoted(name)} is not inside the scenario's folder", "put it there")
    if name in _OF_EVIDENCE:
        raise WordingError(f"{name} is the name of a file of the evidence", "give it another name")
    try:
        content = folders.read(name)
    except ValueError as error:
        raise WordingError(str(error), "name a file in the scenario's folder") from None
    return read_table(name, content)


@lru_cache(maxsize=4)
def read_table(name: str, content: bytes) -> Table:
    """The rows of a CSV file called `name`. Raises WordingError."""
    lines = list(_lines(name, content))
    if len(lines) == 2 and lines[1][1][0].startswith(_WITHHELD):
        return Table(_columns(name, lines[0][1]), ())
    if len(lines) < 2:
        raise WordingError(
            f"{name}: has no rows", "write a line with the names of the columns, and a line for each row"
        )
    columns = _columns(name, lines[0][1])
    for number, row in lines[1:]:
        if len(row) != len(columns):
            what = f"has {len(row)} values, the header {len(columns)}"
            raise WordingError(f"{name}:{number}: {what}", "write one for each column")
    return Table(columns, tuple(row for _, row in lines[1:]))


def withheld(name: str, content: bytes) -> bytes:
    """A copy of a CSV file for the evidence: its columns, how many rows it has and its hash, but no row. Raises WordingError.

    Rows may be passwords or people, and nothing that is recomputed from the evidence needs them.
    """
    table, header = read_table(name, content), io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(table.columns)
    # Loaded only where there is such a file: it takes as long as all the rest of validating.
    import hashlib

    sha256 = hashlib.sha256(content).hexdigest()
    return f"{header.getvalue()}{_WITHHELD} {len(table.rows)} of them; SHA-256 of the file: {sha256}\n".encode()


def _columns(name: str, header: tuple[str, ...]) -> tuple[str, ...]:
    columns = tuple(each.strip() for each in header)
    if len({*columns}) < len(columns) or not all(columns):
        raise WordingError(f"{name}:1: a column has no name, or that of another", "give each a name of its own")
    return columns


def _lines(name: str, content: bytes) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The lines that are not empty, with their numbers."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise WordingError(f"{name}: byte {error.start} is not UTF-8", "save the file as UTF-8") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, tuple(row)
    except csv.Error:
        raise WordingError(f"{name}:{reader.line_num}: is not CSV", "correct the quotes of the line") from None
