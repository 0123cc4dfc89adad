"""The files of a gateway's evidence, for reports."""

from typing import TypeVar

import msgspec

from soak.reports.data import RunData
from soak.schemas.errors import EvidenceError
from soak.schemas.files import ordinary
from soak.schemas.systems.gateway.documents import COMPARISON, LATENCY, ComparisonReport, LatencyReport

T = TypeVar("T")


def latency_of(run: RunData) -> LatencyReport | None:
    """latency.json; None where there is none. Raises EvidenceError for one that is damaged."""
    return _read(run, LATENCY, LatencyReport)


def comparison_of(run: RunData) -> ComparisonReport | None:
    """comparison.json; None where there is none. Raises EvidenceError for one that is damaged."""
    return _read(run, COMPARISON, ComparisonReport)


def _read(run: RunData, name: str, kind: type[T]) -> T | None:
    path = run.directory / name
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(ordinary(path).read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{path}: {error} (this evidence is damaged)") from None
