"""Cost against work: CPU, memory and size for more tasks, more time, more workers and more tenants.

`python benchmarks/bench_scale.py --most-seconds 20` takes some minutes; each row is a process of its own (`scale_run.py`). A row
that would take longer than the limit, by the row before, is extrapolated from it and says so. `--row NAME`: only rows whose name
begins so, in full. The line below each family is the slope of log CPU on log work with its standard error: 1 is a straight line.
"""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "peers" / "results.json"
TASKS_72H = 27_000
HOURS_A_YEAR = 8760
RUN_US, REPLICATE_US = 15.0, 5.0
"""What a task is thought to cost before anything is measured, in microseconds."""


@dataclass(frozen=True)
class Row:
    """A run: what is more in it (`work`), and how much of it."""

    family: str
    label: str
    size: float
    times: float
    hours: float = 72.0
    workers: int = 0
    tenants: int = 0
    overload: float = 0.0

    @property
    def tasks(self) -> float:
        """How many tasks are expected: 375 an hour, 100 of them in the first five minutes."""
        hours, minutes = divmod(self.hours * 60, 60)
        return self.times * (375 * hours + 20 * min(minutes, 5) + 5 * max(0, minutes - 5))

    def given(self, work: str, engine: str) -> dict[str, Any]:
        """For `scale_run.py`."""
        own = {"workers": self.workers} if self.workers else {}
        return {
            "times": self.times,
            "minutes": self.hours * 60,
            "tenants": self.tenants,
            "work": work,
            "engine": engine,
            **own,
        }


def _rows() -> Iterator[Row]:
    for words, times in (("10^5", 4), ("10^6", 37), ("10^7", 370)):
        yield Row("tasks", f"{words} tasks in 72 h", TASKS_72H * times, times)
    # No scenario has more than 10,000 workers.
    yield Row("tasks", "10^8 tasks in 266 h", TASKS_72H * 3700, 1000, 72 * 3.7)
    for words, hours in (("72 h", 72), ("30 days", 720), ("1 year", HOURS_A_YEAR)):
        yield Row("time", f"{words}, 10 workers", hours, 1, hours)
    for workers in (10, 100, 1_000, 10_000):
        times, hours = workers / 10, 10_000 / workers
        yield Row("workers", f"{workers:,} workers, as busy, 375,000 tasks", workers, times, hours, workers)
    for workers in (10, 100, 1_000, 10_000):
        yield Row("idle workers", f"{workers:,} workers, load of 10, 72 h", workers, 1, 72, workers)
    for tenants in (1, 10, 100, 1_000):
        yield Row("tenants", f"{tenants:,} tenants, 10^5 tasks", tenants, 4, tenants=tenants)
    for hours in (6, 24, 96):
        yield Row("overload", f"{hours} h at twice what 10 workers can do", hours, 16, hours, 10)


ROWS = tuple(_rows())


def engines() -> list[str]:
    """The engines of this machine."""
    from soak.schemas.language.load import load
    from soak.simulation.compiled.engine import Engine
    from soak.simulation.compiled.library import Unavailable
    from soak.simulation.run import engine_for

    try:
        engine_for(load(HERE.parent / "scenarios" / "72h.yaml").scenario, Engine.COMPILED)
    except Unavailable:
        return ["simpy"]
    return ["compiled", "simpy"]


def measure(row: Row, work: str, engine: str) -> dict[str, Any]:
    """The figures of a row, from a process of its own."""
    command = [sys.executable, str(HERE / "scale_run.py"), json.dumps(row.given(work, engine))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{row.label}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def family(rows: Sequence[Row], work: str, engine: str, most_seconds: float) -> Iterator[dict[str, Any]]:
    """The rows of a family in turn; what would take too long is extrapolated from the last one."""
    known: list[dict[str, Any]] = []
    for row in rows:
        figures = _extrapolated(row, known)
        expected_s = figures["cpu_s"] or (RUN_US if work == "run" else REPLICATE_US) * row.tasks / 1e6
        if expected_s <= most_seconds:
            figures = {**measure(row, work, engine), "tasks": row.tasks, "extrapolated": False}
            known.append(figures)
        yield {"family": row.family, "label": row.label, "size": row.size, "work": work, "engine": engine, **figures}


def _extrapolated(row: Row, known: list[dict[str, Any]]) -> dict[str, Any]:
    """A row by those before it: the straight line through the last two of different work, or through the last and 0."""
    unknown: dict[str, Any] = {"tasks": row.tasks, "extrapolated": True, "peak_mb": None, "parts_s": {}}
    if not known:
        return {**unknown, "cpu_s": None, "stream_mb": None}
    last, before = known[-1], {"tasks": 0.0, "cpu_s": 0.0, "stream_mb": 0.0}
    if len(known) > 1 and known[-2]["tasks"] < last["tasks"]:
        before = known[-2]
    share = (row.tasks - last["tasks"]) / (last["tasks"] - before["tasks"])
    return {**unknown, **{key: last[key] + share * (last[key] - before[key]) for key in ("cpu_s", "stream_mb")}}


def slope(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """The slope of log y on log x by least squares, and its standard error; None for fewer than three points."""
    if len(points) < 3:
        return None
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(each[place] for each in logs) / len(logs) for place in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in logs)
    steep = sum((x - mean_x) * (y - mean_y) for x, y in logs) / spread
    rest = sum((y - mean_y - steep * (x - mean_x)) ** 2 for x, y in logs)
    return steep, math.sqrt(rest / (len(logs) - 2) / spread)


def fitted(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slope of CPU on work for each family, of the rows that were measured."""
    fits = []
    for (name, work, engine), group in groupby(rows, lambda each: (each["family"], each["work"], each["engine"])):
        found = slope([(each["size"], each["cpu_s"]) for each in group if not each["extrapolated"]])
        if found:
            fits.append({"family": name, "work": work, "engine": engine, "slope": found[0], "error": found[1]})
    return fits


def told(each: dict[str, Any]) -> str:
    """A row for a terminal."""
    if each["cpu_s"] is None:
        return f"{each['label']:42} {each['work']:9} {each['engine']:8} not measured: longer than --most-seconds"
    parts = each["parts_s"]
    whole = sum(parts.values()) or 1.0
    where = ", ".join(
        f"{part} {share / whole:.0%}" for part, share in sorted(parts.items(), key=lambda item: -item[1])[:5]
    )
    memory = f"{each['peak_mb']:7.0f} MB" if each["peak_mb"] else "         -"
    mark = "~" if each["extrapolated"] else " "
    us = each["cpu_s"] / each["tasks"] * 1e6
    cost = f"{mark}{each['cpu_s']:9.2f} s {us:7.1f} us {memory} {each['stream_mb'] or 0:8.0f} MB"
    return f"{each['label']:42} {each['work']:9} {each['engine']:8} {cost}  {where}"


def main() -> None:
    """Print the rows as they come, then the slopes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--row", default="", help="only rows of which the family or the label begins so")
    parser.add_argument("--work", choices=("replicate", "run"), action="append")
    parser.add_argument("--engine", action="append", help="simpy or compiled; all that there are without")
    parser.add_argument("--most-seconds", type=float, default=20.0, help="CPU seconds of one row")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help="into peers/results.json")
    parser.add_argument("--profile", action="store_true", help="print where the time of each row goes, by function")
    given = parser.parse_args()
    wanted = [row for row in ROWS if row.family.startswith(given.row) or row.label.startswith(given.row)]
    if given.profile:
        for row in wanted:
            words = json.dumps(row.given((given.work or ["run"])[0], (given.engine or ["simpy"])[0]))
            subprocess.run([sys.executable, str(HERE / "scale_run.py"), words, "--profile"], check=True)
        return
    found = []
    for engine in given.engine or engines():
        for work in given.work or ("replicate", "run"):
            for _, group in groupby(wanted, lambda row: row.family):
                for each in family(list(group), work, engine, given.most_seconds):
                    found.append(each)
                    print(told(each), file=sys.stderr, flush=True)
    fits = fitted(found)
    if given.write:
        known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps({**known, "scale": found, "fits": fits}, indent=1) + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps({"rows": found, "fits": fits}, indent=1))
        return
    for fit in fits:
        print(f"{fit['family']:14} {fit['work']:9} {fit['engine']:8} slope {fit['slope']:.2f} ± {fit['error']:.2f}")


if __name__ == "__main__":
    main()
