"""Whether a ledger is as a target file says: there, with the fields that it names."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from soak.schemas.errors import quoted
from soak.schemas.target.model import Ledger
from soak.schemas.target.templates import fill

_LAST_BYTES = 100_000
_BEFORE_ALL = "-1"


def fault_of_ledger(ledger: Ledger) -> str | None:
    """What is wrong with a ledger: empty if nothing is, None as long as it has no records."""
    fields = _of_sqlite(ledger) if ledger.sqlite is not None else _of_lines(Path(ledger.jsonl or ""))
    if fields is None or isinstance(fields, str):
        return fields
    wanted = [ledger.first, ledger.last] if ledger.first else [ledger.key]
    wanted += [ledger.at, ledger.sent, ledger.kind, ledger.strong, ledger.confirm, ledger.low_consistency]
    missing = [each for each in wanted if each is not None and each not in fields]
    there = ", ".join(sorted(fields))
    return f"has no {', '.join(map(quoted, missing))}; it has {there}" if missing else ""


def _of_lines(path: Path) -> set[str] | str | None:
    """The fields of the last whole line; a text says what is wrong; None: no lines."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - _LAST_BYTES))
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return None
    if not lines:
        return None
    try:
        found = json.loads(lines[-1])
    except ValueError:
        return f"{path.name}: its last line is not JSON"
    return set(found) if isinstance(found, dict) else f"{path.name}: its last line is not an object"


def _of_sqlite(ledger: Ledger) -> set[str] | str | None:
    """The columns of the query; None: no rows, or no database yet."""
    path = Path(ledger.sqlite or "")
    if not path.exists():
        return None
    query = fill(ledger.query, {"after": _BEFORE_ALL})
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            cursor = database.execute(query)
            if cursor.fetchone() is None:
                return None
            return {each[0] for each in cursor.description}
    except sqlite3.Error as error:
        return f"its query fails: {error}"
