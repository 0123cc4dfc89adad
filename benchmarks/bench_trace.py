"""Traces: rows a second and core, and memory, by the number of rows: `python benchmarks/bench_trace.py --rows 10000000`.

A trace is written to a temporary folder and looked through (`survey`: SHA-256, order, duplicates and counts included), then
played. Each is done in a process of its own, which says how much memory reading takes beyond what modules take.
`--with pyarrow` and `--with polars` read the same columns of the CSV with these, on one thread; both have to be installed.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

ROWS_AT_A_TIME = 100_000
PER_S = 100.0


def write(path: Path, rows: int) -> None:
    """A trace of Poisson arrivals: an identifier, time, kind, service time and customer."""
    generator, begin_s = np.random.default_rng(1), 1.7e9
    kinds = np.array(["thumbnail", "video", "mail"])
    as_json = path.suffix == ".jsonl"
    with path.open("w", encoding="utf-8") as file:
        if not as_json:
            file.write("id,created_at,type,took,customer\n")
        for first in range(0, rows, ROWS_AT_A_TIME):
            count = min(ROWS_AT_A_TIME, rows - first)
            times_s = begin_s + np.cumsum(generator.exponential(1 / PER_S, count))
            begin_s = float(times_s[-1])
            texts = np.datetime_as_string((times_s * 1e3).astype(np.int64).astype("datetime64[ms]")).tolist()
            kind = kinds[generator.integers(0, 3, count)].tolist()
            took = generator.exponential(2, count).tolist()
            form = (
                '{{"id": {}, "created_at": "{}Z", "type": "{}", "took": {:.3f}, "customer": "c{}"}}\n'
                if as_json
                else "{},{}Z,{},{:.3f},c{}\n"
            )
            file.writelines(
                form.format(first + n, *row, n % 97) for n, row in enumerate(zip(texts, kind, took, strict=True))
            )


def look(path: Path) -> int:
    """Look through the whole file."""
    from soak.schemas.trace.settings import Reading
    from soak.schemas.trace.survey import survey

    return survey(Reading(path, "created_at", kind="type", service="took")).rows


def play(path: Path) -> Callable[[], int]:
    """Read it again as a plan does."""
    from soak.schemas.language.trace import Trace
    from soak.schemas.trace.settings import Reading
    from soak.schemas.trace.survey import survey
    from soak.simulation.trace import TraceArrivals

    reading = Reading(path, "created_at", kind="type", service="took")
    seen = survey(reading)
    trace = Trace(reading, seen.first_us, 1.0, 1.0, False, seen)
    return lambda: sum(len(block) for block in TraceArrivals(trace, 1, 1e12).within())


def with_pyarrow(path: Path) -> int:
    """The same columns, a batch at a time; no hash, order or duplicates."""
    import pyarrow as pa
    from pyarrow import csv

    pa.set_cpu_count(1)
    types = {"created_at": pa.timestamp("us", tz="UTC"), "took": pa.float64()}
    options = csv.ConvertOptions(include_columns=["created_at", "type", "took"], column_types=types)
    reader = csv.open_csv(path, csv.ReadOptions(use_threads=False, block_size=1 << 20), convert_options=options)
    return sum(batch.num_rows for batch in reader)


def with_polars(path: Path) -> int:
    """The same columns, streamed."""
    import polars as pl

    time_column = pl.col("created_at").str.to_datetime(time_unit="us", time_zone="UTC")
    chosen = pl.scan_csv(path).select(time_column.dt.epoch("us"), "type", "took")
    return int(chosen.select(pl.all().count()).collect(engine="streaming")[0, 0])


def highest_mb() -> float:
    """The most memory of this process so far."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def measure(what: str, path: Path) -> None:
    """Do one of them in this process, and say what it took."""
    readers = {"look": look, "pyarrow": with_pyarrow, "polars": with_polars}
    if what == "play":
        work = play(path)
    else:
        # Modules, and what they allocate once.
        readers[what](path.with_name(f"small{path.suffix}"))
        work = partial(readers[what], path)
    before = highest_mb()
    began = time.process_time()
    rows = work()
    took_s = time.process_time() - began
    after = highest_mb()
    print(
        f"{what:8} {path.suffix:8} {rows:>11,} rows  {rows / took_s / 1e6:5.2f} M rows/s  "
        f"{after:6.0f} MB, {after - before:+.0f} MB while reading",
        flush=True,
    )


def main() -> None:
    """Write the traces and measure each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--format", nargs="*", default=["csv", "jsonl"])
    parser.add_argument("--with", nargs="*", default=[], dest="others", choices=["pyarrow", "polars"])
    parser.add_argument("--measure", nargs=2)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        for suffix in arguments.format:
            write(Path(folder) / f"small.{suffix}", 100_000)
            path = Path(folder) / f"trace.{suffix}"
            write(path, arguments.rows)
            for what in ("look", "play", *(arguments.others if suffix == "csv" else ())):
                subprocess.run([sys.executable, __file__, "--measure", what, str(path)], check=True)


if __name__ == "__main__":
    main()
