"""The per-minute series of a run: NumPy arrays by name, or one table."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from soak.runner.extras import need
from soak.runner.frames.frame import field, to_pandas, to_polars
from soak.schemas.stream.block import Floats

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

WHO = "a run's series as a table"


class Series(Mapping[str, Floats]):
    """The columns of metrics.csv by name: a value a minute, of the minute that ends at `t_s`; NaN: nothing was observed.

    `series["latency_p95_s"]` is a NumPy array; names that end in `_s` are of seconds. Names are in the order of the file.
    """

    def __init__(self, columns: Mapping[str, Floats], about: Mapping[str, str]) -> None:
        self._columns = dict(columns)
        self.about = about
        """Metadata of the tables: scenario, seed, target, version."""

    def __getitem__(self, name: str) -> Floats:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """How many series there are."""
        return len(self._columns)

    def __repr__(self) -> str:
        return f"<soak.Series: {len(self)} series, {len(self.t_s):,} minutes>"

    @property
    def t_s(self) -> Floats:
        """The end of each minute, in seconds of scenario time."""
        return self._columns["t_s"]

    def numpy(self) -> Floats:
        """All of them as a table of minutes (rows) by series (columns), in the order of the names."""
        return np.column_stack(list(self._columns.values()))

    def arrow(self) -> "pyarrow.Table":
        """All of them as an Arrow table of float64, null where nothing was observed. Raises UsageError without pyarrow."""
        need("arrow", WHO)
        import pyarrow as pa

        arrays = [pa.array(values, pa.float64(), from_pandas=True) for values in self._columns.values()]
        fields = [field(name, pa.float64(), unit=unit_of(name), required=name == "t_s") for name in self]
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=dict(self.about)))

    def pandas(self) -> "pandas.DataFrame":
        """All of them as a pandas DataFrame. Raises UsageError without pandas."""
        need("pandas", WHO)
        return to_pandas(self.arrow(), WHO)

    def polars(self) -> "polars.DataFrame":
        """All of them as a polars DataFrame. Raises UsageError without polars."""
        need("polars", WHO)
        return to_polars(self.arrow(), WHO)


def unit_of(name: str) -> str:
    """The unit of a series, by its name: seconds, or 1 for counts and levels (UCUM)."""
    return "s" if name.endswith("_s") else "1"
