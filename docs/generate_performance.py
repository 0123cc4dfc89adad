"""Puts measured figures into docs/performance.md and draws its charts: `python docs/generate_performance.py`.

The figures are those of benchmarks/peers/results.json. `--measure` makes them anew first: the other tools beside soak
(benchmarks/peers/compare.py; `--peers` names the Python they are installed for), and cost against work
(benchmarks/bench_scale.py).
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from performance_charts import bars, lines

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"
RESULTS = ROOT / "benchmarks" / "peers" / "results.json"
NOT_YET = "*not measured yet*"
_SAME = {True: "yes", False: "**no**", None: "not tested"}
_ENGINES = {"simpy": "SimPy", "compiled": "compiled"}


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; all columns but the first are numbers."""
    marks = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (headings, marks, *rows))


def peers(found: dict[str, Any]) -> str:
    """The tools beside each other."""
    rows = [
        (
            f"[{each['label']}](../benchmarks/peers/{each['script']})",
            each["version"] or "-",
            f"{each['ratio']:.2f}",
            f"{each['low']:.2f} to {each['high']:.2f}",
            f"{each['us_per_task']:.1f}" if each["us_per_task"] >= 1 else f"{each['us_per_task']:.2f}",
            f"{each['peak_mb']:.0f} MB",
            f"{sum(each['latencies_s']) / len(each['latencies_s']):.2f} s",
            f"{sum(each['attempts_per_task']) / len(each['attempts_per_task']):.4f}",
            _SAME[each["same"]],
        )
        for each in sorted(found["peers"], key=lambda each: float(each["ratio"]))
    ]
    if not any(each["key"].startswith("compiled") for each in found["peers"]):
        rows.append(("soak compiled", NOT_YET, *[""] * 7))
    headings = (
        "tool",
        "version",
        "over bare SimPy",
        "rounds",
        "µs per task",
        "memory",
        "mean latency",
        "attempts",
        "same queue",
    )
    return table(headings, rows)


def records(found: dict[str, Any]) -> str:
    """What each tool leaves behind."""
    rows = [
        (each["label"], each["log"], each["judge"], each["evidence"], each["note"] or "-") for each in found["peers"]
    ]
    return table(("tool", "event log", "judge", "evidence", "what runs it"), rows).replace("---:", "---")


def machine(found: dict[str, Any]) -> str:
    """Where it was measured."""
    where = found["machine"]
    pythons = sorted({each["python"] for each in found["peers"]})
    words = f"Measured on {where['system']}, {where['architecture']}, {where['cores']} cores shared with other work"
    return f"{words}; Python {' and '.join(pythons)}."


def scale(found: dict[str, Any], work: str) -> str:
    """Cost against work, engine by engine."""
    rows = [
        (
            each["label"],
            _ENGINES[each["engine"]],
            _seconds(each),
            f"{each['cpu_s'] / each['tasks'] * 1e6:.1f}" if each["cpu_s"] and not each["extrapolated"] else "",
            f"{each['peak_mb']:.0f} MB" if each["peak_mb"] else "",
            *((f"{each['stream_mb']:,.0f} MB" if each["stream_mb"] else "",) if work == "run" else ()),
            where(each["parts_s"]),
        )
        for each in found.get("scale", [])
        if each["work"] == work
    ]
    sizes = ("event log",) if work == "run" else ()
    return table(("work", "engine", "CPU", "µs per task", "peak memory", *sizes, "where the time goes"), rows)


def _seconds(each: dict[str, Any]) -> str:
    if each["cpu_s"] is None:
        return NOT_YET
    words = f"{each['cpu_s']:.2f} s" if each["cpu_s"] < 10 else f"{each['cpu_s']:,.0f} s"
    return f"about {words}, extrapolated" if each["extrapolated"] else words


def where(parts_s: dict[str, float]) -> str:
    """The parts that take most of the time."""
    whole = sum(parts_s.values()) or 1.0
    largest = sorted(parts_s.items(), key=lambda item: -item[1])[:4]
    return ", ".join(f"{part} {100 * seconds / whole:.0f} %" for part, seconds in largest)


def fits(found: dict[str, Any]) -> str:
    """The slopes."""
    rows = [
        (each["family"], each["work"], _ENGINES[each["engine"]], f"{each['slope']:.2f} ± {each['error']:.2f}")
        for each in found.get("fits", [])
    ]
    return table(("more", "in", "engine", "slope"), rows)


BLOCKS: dict[str, Callable[[dict[str, Any]], str]] = {
    "machine": machine,
    "peers": peers,
    "records": records,
    "replicate": lambda found: scale(found, "replicate"),
    "run": lambda found: scale(found, "run"),
    "fits": fits,
}


def filled(page: str, found: dict[str, Any]) -> str:
    """The page with the figures in their places: between `<!-- figures: NAME -->` and `<!-- end -->`."""

    def put(place: re.Match[str]) -> str:
        return f"{place[1]}\n{BLOCKS[place[2]](found)}\n{place[3]}"

    return re.sub(r"(<!-- figures: (\w+) -->)\n.*?(<!-- end -->)", put, page, flags=re.DOTALL)


def growth(found: dict[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """CPU seconds over tasks, by tool."""
    labels = {each["key"]: each["label"] for each in found["peers"]}
    series: dict[str, list[tuple[float, float]]] = {}
    for each in found.get("growth", []):
        series.setdefault(labels[each["key"]], []).append((each["tasks"], each["cpu_s"]))
    return dict(sorted(series.items(), key=lambda item: -item[1][0][1]))


def measure(python: str, most_seconds: float) -> None:
    """Make all figures anew; takes a quarter of an hour on two idle cores."""
    compare = ["benchmarks/peers/compare.py", "--rounds", "7", "--growth", "--write", "--peers", python]
    bench = ["benchmarks/bench_scale.py", "--write", "--most-seconds", str(most_seconds)]
    for command in (compare, bench):
        subprocess.run([sys.executable, *command], check=True, cwd=ROOT)


def main() -> None:
    """Write the page and its charts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--peers", default=str(ROOT / ".venv-peers" / "bin" / "python"))
    parser.add_argument("--most-seconds", type=float, default=60.0, help="CPU seconds of one row of cost against work")
    given = parser.parse_args()
    if given.measure:
        measure(given.peers, given.most_seconds)
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    (IMAGES / "performance-peers.svg").write_text(bars(found["peers"]), encoding="utf-8")
    (IMAGES / "performance-growth.svg").write_text(lines(growth(found), "CPU seconds over tasks"), encoding="utf-8")


if __name__ == "__main__":
    main()
