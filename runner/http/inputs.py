"""What requests need beside the scenario: secrets and rows of data files, read once by the runner and handed on to what sends."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak.runner.secrets import secret_of
from soak.schemas.errors import UsageError
from soak.schemas.files import Folders
from soak.schemas.language.http import DataFile, Http
from soak.schemas.language.outlets import Secret


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a data file: every row has a text for each column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Inputs:
    """Secrets by the name of their variable, tables by the name of their data. `repr` shows no secret."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    tables: Mapping[str, Table] = field(default_factory=dict, repr=False)

    def as_data(self) -> dict[str, Any]:
        """It as plain data, to be handed to another process over a pipe: it holds secrets."""
        tables = {
            name: {"columns": [*each.columns], "rows": [[*row] for row in each.rows]}
            for name, each in self.tables.items()
        }
        return {"secrets": dict(self.secrets), "tables": tables}

    @classmethod
    def of_data(cls, data: Mapping[str, Any]) -> "Inputs":
        """What `as_data` gave."""
        tables = {
            name: Table(tuple(each["columns"]), tuple(tuple(row) for row in each["rows"]))
            for name, each in data["tables"].items()
        }
        return cls(dict(data["secrets"]), tables)


def read_inputs(http: Http, folders: Folders, folder: Path) -> Inputs:
    """What the requests of a scenario need; `folder`: where files of secrets are. Raises UsageError with all that is missing."""
    secrets, missing = {}, []
    for name, value in http.variables:
        if isinstance(value, Secret):
            try:
                secrets[name] = secret_of(value, folder, f"http.variables.{name}", "secret")
            except UsageError as error:
                missing.append(str(error))
    tables = {}
    for each in http.data:
        try:
            tables[each.name] = read_table(each, folders)
        except ValueError as error:
            missing.append(f"http.data: {error}")
    if missing:
        raise UsageError("\n".join(missing))
    return Inputs(secrets, tables)


def read_table(data: DataFile, folders: Folders) -> Table:
    """The rows of a data file. Raises ValueError, which says what is wrong with it."""
    return table_of(data.file, folders.read(data.file))


def table_of(name: str, content: bytes) -> Table:
    """The rows of a CSV file with a header. Raises ValueError, which says what is wrong and what to do."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: byte {error.start} is not UTF-8 (save the file as UTF-8)") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, tuple(row)) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{name}:{reader.line_num}: {error} (correct the line)") from None
    if len(lines) < 2:
        raise ValueError(f"{name}: has no rows (write a line with the names of the columns, and a line for each row)")
    columns = tuple(each.strip() for each in lines[0][1])
    if len({*columns}) < len(columns) or not all(columns):
        raise ValueError(f"{name}:1: a column is without a name or is duplicated (give each a name of its own)")
    for number, row in lines[1:]:
        if len(row) != len(columns):
            what = f"has {len(row)} values, the header {len(columns)}"
            raise ValueError(f"{name}:{number}: {what} (write one for each column)")
    return Table(columns, tuple(row for _, row in lines[1:]))
