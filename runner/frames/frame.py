"""A table in the forms of others: Arrow as it is, pandas and polars made of it. Each library is imported when it is asked for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from soak.runner.extras import need
from soak.schemas.evidence.manifest import Manifest

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

PREFIX = "soak."
"""What the names of our entries in the metadata of a schema start with."""


def about(manifest: Manifest) -> dict[str, str]:
    """What the metadata of every schema says of the run: scenario, seed, target, clock, verdict and the version of soak."""
    found = {
        "scenario": manifest.scenario,
        "scenario_sha256": manifest.scenario_sha256,
        "seed": str(manifest.seed),
        "target": manifest.target,
        "clock": manifest.clock,
        "speed": str(manifest.speed),
        "started_at": manifest.started_at,
        "verdict": manifest.verdict or "",
        "version": manifest.versions.get("soak", ""),
    }
    return {f"{PREFIX}{name}": value for name, value in found.items()}


def field(name: str, type_: Any, *, unit: str = "", description: str = "", required: bool = False) -> "pyarrow.Field":
    """A field whose metadata has the unit of its values and what it is; not null where it is required."""
    import pyarrow as pa

    said = {"unit": unit, "description": description}
    return pa.field(name, type_, nullable=not required, metadata={key: text for key, text in said.items() if text})


def to_pandas(table: "pyarrow.Table", who: str) -> "pandas.DataFrame":
    """An Arrow table as a DataFrame: words are categories, whole numbers may be missing, `attrs` is the metadata.

    Raises UsageError without pandas.
    """
    need("pandas", who)
    import pandas as pd
    import pyarrow as pa

    whole = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    frame: pandas.DataFrame = table.to_pandas(types_mapper=whole.get)
    frame.attrs.update(_attributes(table.schema.metadata))
    return frame


def to_polars(table: "pyarrow.Table", who: str) -> "polars.DataFrame":
    """An Arrow table as a DataFrame: words are categories. Raises UsageError without polars."""
    need("polars", who)
    import polars as pl

    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _attributes(metadata: Mapping[bytes, bytes] | None) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (metadata or {}).items()}
