"""replications.csv: a line for each replication, from which every figure of a prediction can be recomputed."""

import csv
import io
from collections.abc import Sequence

from soak.runner.replications.replication import ObjectiveOutcome, Replication
from soak.schemas.evidence.verdict import Outcome, Status

FILE = "replications.csv"
_FIRST = (
    "index",
    "seed",
    "verdict",
    "ended_s",
    "aborted_by",
    "kept_from_pass_by",
    "decided_as",
    "decided_s",
    "decidable_s",
)
_OF_OBJECTIVE = ("status", "value", "target", "margin", "samples")
_BETWEEN = "; "


def column(number: int) -> str:
    """The prefix of the columns of an objective; `number` from 0, in the order of the scenario."""
    return f"objective{number + 1}"


def header(objectives: int) -> list[str]:
    """The names of the columns."""
    return [*_FIRST, *(f"{column(number)}_{each}" for number in range(objectives) for each in _OF_OBJECTIVE)]


def row(replication: Replication) -> list[str]:
    """A line: numbers that are read back to the last bit, empty where nothing was observed."""
    cells: list[object] = [
        replication.index,
        replication.seed,
        replication.verdict,
        replication.ended_s,
        replication.aborted_by,
        _BETWEEN.join(replication.doubts),
        replication.decided_as,
        replication.decided_s,
        replication.decidable_s,
    ]
    for each in replication.objectives:
        cells += [each.status, each.value, each.target, each.margin, each.samples]
    return ["" if cell is None else repr(cell) if isinstance(cell, float) else str(cell) for cell in cells]


def to_csv(rows: Sequence[Sequence[str]]) -> bytes:
    """Lines of a table."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def read_csv(content: bytes) -> list[Replication]:
    """The replications of a table."""
    lines = csv.DictReader(io.StringIO(content.decode()))
    return [_replication(line) for line in lines]


def _replication(line: dict[str, str]) -> Replication:
    count = (len(line) - len(_FIRST)) // len(_OF_OBJECTIVE)
    return Replication(
        index=int(line["index"]),
        seed=int(line["seed"]),
        verdict=Outcome(line["verdict"]),
        ended_s=float(line["ended_s"]),
        aborted_by=line["aborted_by"] or None,
        objectives=[_outcome(line, column(number)) for number in range(count)],
        doubts=line["kept_from_pass_by"].split(_BETWEEN) if line["kept_from_pass_by"] else [],
        decided_as=line["decided_as"] or None,
        decided_s=_number(line["decided_s"]),
        decidable_s=_number(line["decidable_s"]),
    )


def _number(text: str) -> float | None:
    return float(text) if text else None


def _outcome(line: dict[str, str], name: str) -> ObjectiveOutcome:
    value, target, margin = (
        float(text) if (text := line[f"{name}_{each}"]) else None for each in ("value", "target", "margin")
    )
    return ObjectiveOutcome(Status(line[f"{name}_status"]), value, target, margin, int(line[f"{name}_samples"]))
