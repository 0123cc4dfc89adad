"""The objectives of a verdict as an Arrow table, a row each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from soak.runner.frames.frame import field
from soak.schemas.evidence.verdict import ObjectiveResult, Verdict

if TYPE_CHECKING:
    import pyarrow


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
