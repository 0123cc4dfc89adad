"""Why requests failed: the reasons in words that a real run keeps beside the events, for the summary and the page."""

from collections import Counter

import msgspec
from msgspec import Struct

from soak.reports.data import RunData
from soak.schemas.errors import EvidenceError
from soak.schemas.files import ordinary
from soak.schemas.systems.gateway.documents import ERRORS

REASONS = "system/errors.jsonl"
"""What a real target notes of the first requests that failed of each error."""

_MOST = 5
"""How many reasons are shown."""


class _Line(msgspec.Struct, frozen=True):
    """A line of the file; a status of 0: no answer."""

    t: float
    task: str
    error: str
    status: int
    reason: str


class Reason(Struct, frozen=True):
    """A reason: of which error, how many requests of those listed had it, and when and which was the first."""

    error: str
    reason: str
    count: int
    first_s: float
    task: str


class Reasons(Struct, frozen=True):
    """The most frequent reasons, how many more there are, and the files that say more, relative to the report."""

    shown: list[Reason]
    more: int
    files: list[str]


def reasons_of(run: RunData) -> Reasons | None:
    """What is known of the requests that failed; None where none did. Raises EvidenceError for a damaged file."""
    if not run.verdict.tasks.get("FAILED"):
        return None
    files = [name for name in (ERRORS, REASONS) if (run.directory / name).exists()]
    lines = _lines(run) if REASONS in files else []
    counts = Counter((each.error, each.reason) for each in lines)
    first = {(each.error, each.reason): each for each in sorted(lines, key=lambda each: -each.t)}
    ordered = sorted(counts, key=lambda key: (-counts[key], first[key].t))
    shown = [Reason(*key, counts[key], first[key].t, first[key].task) for key in ordered[:_MOST]]
    return Reasons(shown, len(ordered) - len(shown), files) if files else None


def _lines(run: RunData) -> list[_Line]:
    path = run.directory / REASONS
    try:
        content = ordinary(path).read_bytes()
        # A run that was cut off may end within a line.
        return [msgspec.json.decode(line, type=_Line) for line in content[: content.rfind(b"\n") + 1].splitlines()]
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None
