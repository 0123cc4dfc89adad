"""The objectives of a verdict: one by one, or as a table of a row each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from soak.runner.extras import need
from soak.runner.frames.frame import field, to_pandas, to_polars
from soak.schemas.evidence.verdict import ObjectiveResult, Verdict

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

WHO = "a run's objectives as a table"
_NUMBERS = {
    **dict.fromkeys(
        ["value", "target", "margin", "interval_low", "interval_high", "confidence", "effective_samples", "warn"],
        np.float64,
    ),
    **dict.fromkeys(("samples", "min_samples"), np.int64),
    "thin": np.bool_,
}
_COLUMNS = [
    "objective",
    "sli",
    "labels",
    "unit",
    "value",
    "op",
    "target",
    "margin",
    "status",
    "interval_low",
    "interval_high",
    "confidence",
    "samples",
    "min_samples",
    "effective_samples",
    "thin",
    "warn",
    "warning",
    "detail",
]


@dataclass(frozen=True, repr=False)
class Objectives:
    """The objectives of a run in the order of the scenario: one by one, or a table of them, a row each.

    A duration is in seconds, a size in bytes, a ratio from 0 to 1, a rate per second: `unit` says which.
    """

    verdict: Verdict
    about: Mapping[str, str]
    """Metadata of the tables: scenario, seed, target, version."""

    def __iter__(self) -> Iterator[ObjectiveResult]:
        return iter(self.verdict.objectives)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.verdict.objectives)

    def __repr__(self) -> str:
        return f"<soak.Objectives: {len(self)} of {self.verdict.scenario}>"

    def numpy(self) -> "np.ndarray[tuple[int], np.dtype[Any]]":
        """All of them as a structured array, a field for each column: `run.objectives.numpy()["margin"]`; NaN: not known."""
        rows = [_row(each) for each in self]
        kind = np.dtype([(name, _NUMBERS.get(name, np.object_)) for name in _COLUMNS])
        return np.array([tuple(_plain(name, row[name]) for name in _COLUMNS) for row in rows], dtype=kind)

    def arrow(self) -> "pyarrow.Table":
        """All of them as an Arrow table. Raises UsageError without pyarrow."""
        need("arrow", WHO)
        return objectives_table(self.verdict, self.about)

    def pandas(self) -> "pandas.DataFrame":
        """All of them as a pandas DataFrame. Raises UsageError without pandas."""
        need("pandas", WHO)
        return to_pandas(self.arrow(), WHO)

    def polars(self) -> "polars.DataFrame":
        """All of them as a polars DataFrame. Raises UsageError without polars."""
        need("polars", WHO)
        return to_polars(self.arrow(), WHO)


def _plain(name: str, value: object) -> object:
    if value is None and _NUMBERS.get(name) is np.float64:
        return np.nan
    return dict(value) if name == "labels" and isinstance(value, list) else value


def objectives_table(verdict: Verdict, about: Mapping[str, str]) -> "pyarrow.Table":
    """What the verdict says of each objective, in the order of the scenario; values in the unit that `unit` names.

    A duration is in seconds, a size in bytes, a ratio from 0 to 1, a rate per second.
    """
    import pyarrow as pa

    word = pa.string()
    fields = [
        field("objective", word, description="As the scenario has it.", required=True),
        field("sli", word, description="Its indicator.", required=True),
        field("labels", pa.map_(word, word), description="Of which tasks: tenant, phase and so on."),
        field("unit", word, description="Of value, target, margin, interval and warning target.", required=True),
        field("value", pa.float64(), description="What was observed."),
        field("op", word, description="How the value has to compare with the target.", required=True),
        field("target", pa.float64(), description="The limit."),
        field("margin", pa.float64(), description="Distance from the target, positive on the good side."),
        field("status", word, description="PASS, FAIL, INCONCLUSIVE or NOT_APPLICABLE.", required=True),
        field("interval_low", pa.float64(), description="Lower end of the confidence interval."),
        field("interval_high", pa.float64(), description="Upper end of the confidence interval."),
        field("confidence", pa.float64(), unit="1", description="Of the interval."),
        field("samples", pa.int64(), unit="1", description="Observations.", required=True),
        field("min_samples", pa.int64(), unit="1", description="As many are needed.", required=True),
        field("effective_samples", pa.float64(), unit="1", description="Independent observations that say as much."),
        field("thin", pa.bool_(), description="Whether it is decided by the value alone.", required=True),
        field("warn", pa.float64(), description="The target of its warning level."),
        field("warning", word, description="What is said where the warning level does not hold."),
        field("detail", word, description="Why it is not PASS, or what to know.", required=True),
    ]
    rows = [_row(each) for each in verdict.objectives]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields, metadata=dict(about)))


def _row(result: ObjectiveResult) -> dict[str, object]:
    low, high = result.interval or (None, None)
    plain = {name: getattr(result, name) for name in result.__struct_fields__}
    known = {name: None if value is msgspec.UNSET else value for name, value in plain.items()}
    return {**known, "labels": list(result.labels.items()), "interval_low": low, "interval_high": high}
