"""The same queue in soak and in other tools, as ratios to bare SimPy: `python benchmarks/peers/compare.py`.

Rounds go through all tools in turn. In each, a script runs bare SimPy, its model and bare SimPy again in one process, so that
what else the machine does touches both. Memory is looked at in a process that does nothing else. A tool whose mean latency
or attempts per task differ from those of soak (99 % Welch interval of the difference) is a mistake of its script: exit code 3.
"""

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from bench_scale import engines

from soak.runner.judge.student import t_of

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PEERS_PYTHON = HERE.parents[1] / ".venv-peers" / "bin" / "python"
TIMES = (1, 10, 40)
REFERENCE = "soak-replicate"


@dataclass(frozen=True)
class Tool:
    """A row: the script, its options, and what a run leaves behind."""

    key: str
    label: str
    script: str
    options: tuple[str, ...] = ()
    ours: bool = False
    log: str = "no"
    judge: str = "no"
    evidence: str = "no"


_RUN = {"log": "yes", "judge": "yes", "evidence": "stream"}
TOOLS = (
    Tool("c", "C loop of ours", "c_queue.py"),
    Tool("cimba", "cimba", "cimba_queue.py"),
    Tool("simpy", "SimPy", "simpy_queue.py"),
    Tool("ciw", "Ciw", "ciw_queue.py", log="a record for each visit to a node"),
    Tool("happysim", "happysim", "happysim_queue.py"),
    Tool("salabim", "salabim", "salabim_queue.py", log="monitors: levels over time"),
    Tool(REFERENCE, "soak, replication", "soak_queue.py", ("--engine", "simpy"), ours=True, judge="yes"),
    Tool("soak-run", "soak, log and judge", "soak_queue.py", ("--engine", "simpy", "--work", "run"), ours=True, **_RUN),
    Tool(
        "compiled-replicate", "soak compiled, replication", "soak_queue.py", ("--engine", "compiled"), True, judge="yes"
    ),
    Tool(
        "compiled-run",
        "soak compiled, log and judge",
        "soak_queue.py",
        ("--engine", "compiled", "--work", "run"),
        ours=True,
        **_RUN,
    ),
)


def chosen(names: Sequence[str]) -> list[Tool]:
    """The tools asked for by key, or all; the compiled engine only where there is one."""
    compiled = "compiled" in engines()
    tools = [tool for tool in TOOLS if not names or tool.key in names]
    return [tool for tool in tools if compiled or not tool.key.startswith("compiled")]


def told(tool: Tool, peers: Path, *words: object) -> dict[str, Any]:
    """What the script of a tool prints."""
    python = sys.executable if tool.ours else str(peers)
    command = [python, str(HERE / tool.script), *tool.options, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tool.script} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def compare(tools: Sequence[Tool], peers: Path, rounds: int, *, plain: bool) -> list[dict[str, Any]]:
    """Every row of the table."""
    words = ("--plain",) if plain else ()
    kept: dict[str, list[dict[str, Any]]] = {tool.key: [] for tool in tools}
    for turn in range(rounds):
        for tool in tools:
            kept[tool.key].append(told(tool, peers, "--seed", turn + 1, *words))
            print(f"round {turn + 1}: {tool.label}", file=sys.stderr)
    rows = [row(tool, kept[tool.key], told(tool, peers, "--alone", *words)) for tool in tools]
    reference = next((each for each in rows if each["key"] == REFERENCE), None)
    for each in rows:
        each["same"] = None if reference is None else is_same(each["latencies_s"], reference["latencies_s"]) and is_same(
            each["attempts_per_task"], reference["attempts_per_task"]
        )  # fmt: skip
    return rows


def row(tool: Tool, outcomes: list[dict[str, Any]], alone: dict[str, Any]) -> dict[str, Any]:
    """The figures of a tool over all rounds."""
    runs = [run for outcome in outcomes for run in outcome["rounds"]]
    ratios = [run["ratio"] for run in runs]
    peak_mb = alone["rounds"][0]["peak_mb"]
    return {
        "key": tool.key,
        "label": tool.label,
        "script": tool.script,
        "version": outcomes[0]["version"],
        "python": outcomes[0]["python"],
        "note": outcomes[0]["note"],
        "log": tool.log,
        "judge": tool.judge,
        "evidence": tool.evidence,
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "us_per_task": statistics.median(run["cpu_s"] / run["tasks"] * 1e6 for run in runs),
        "ns_per_event": statistics.median(run["cpu_s"] / run["events"] * 1e9 for run in runs),
        "tasks": statistics.median(run["tasks"] for run in runs),
        "latencies_s": [run["mean_latency_s"] for run in runs],
        "attempts_per_task": [run["mean_attempts"] for run in runs],
        "compile_s": statistics.median(outcome["compile_s"] for outcome in outcomes),
        "peak_mb": peak_mb,
        "grown_mb": peak_mb - alone["before_mb"],
    }


def is_same(one: Sequence[float], other: Sequence[float]) -> bool | None:
    """Whether the 99 % Welch interval of the difference of two means holds 0; None if there are too few."""
    if len(one) < 3 or len(other) < 3:
        return None
    parts = [statistics.variance(values) / len(values) for values in (one, other)]
    if not sum(parts):
        return statistics.mean(one) == statistics.mean(other)
    sizes = len(one) - 1, len(other) - 1
    freedom = sum(parts) ** 2 / sum(part**2 / size for part, size in zip(parts, sizes, strict=True))
    difference = statistics.mean(one) - statistics.mean(other)
    return abs(difference) <= t_of(0.99, int(freedom)) * math.sqrt(sum(parts))


def growth(tools: Sequence[Tool], peers: Path, most_seconds: float) -> list[dict[str, Any]]:
    """CPU seconds of each tool for more and more work; what would take longer than the limit is left out."""
    points = []
    for tool in tools:
        last_s, last = 0.0, 1
        for times in TIMES:
            if last_s * times / last > most_seconds:
                break
            run = told(tool, peers, "--times", times, "--alone")["rounds"][0]
            last_s, last = run["cpu_s"], times
            points.append({"key": tool.key, "times": times, "tasks": run["tasks"], "cpu_s": run["cpu_s"]})
            print(f"x{times}: {tool.label} {run['cpu_s']:.2f} s", file=sys.stderr)
    return points


def machine() -> dict[str, str]:
    """What was measured on, without names of machines."""
    return {
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
    }


HEADINGS = ("tool", "version", "CPU per task over bare SimPy", "low", "high", "us per task", "memory", "same queue")


def cells(each: dict[str, Any]) -> tuple[str, ...]:
    """A row as text."""
    same = {True: "yes", False: "NO", None: "not tested"}[each["same"]]
    ratios = tuple(f"{each[key]:.2f}" for key in ("ratio", "low", "high"))
    memory = f"{each['peak_mb']:.0f} MB"
    return (each["label"], each["version"] or "-", *ratios, f"{each['us_per_task']:.2f}", memory, same)


def as_text(rows: list[dict[str, Any]]) -> str:
    """The table for a terminal."""
    lines = [HEADINGS, *(cells(each) for each in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The table for a page."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(cells(each) for each in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(what: dict[str, Any]) -> None:
    """Put figures into the file from which the page is made; others stay."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**known, **what}, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tools", nargs="*", help=f"of {', '.join(tool.key for tool in TOOLS)}; all without")
    parser.add_argument("--peers", type=Path, default=PEERS_PYTHON, help="the Python of the other tools")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain", action="store_true", help="nothing fails")
    parser.add_argument("--growth", action="store_true", help="also with 10 and 40 times the arrivals and workers")
    parser.add_argument("--most-seconds", type=float, default=60.0, help="of one run for --growth")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--write", action="store_true", help="into results.json")
    given = parser.parse_args()
    tools = chosen(given.tools)
    rows = compare(tools, given.peers, given.rounds, plain=given.plain)
    figures: dict[str, Any] = {"plain" if given.plain else "peers": rows, "machine": machine()}
    if given.growth:
        figures["growth"] = growth(tools, given.peers, given.most_seconds)
    if given.write:
        write(figures)
    print(json.dumps(figures) if given.json else as_markdown(rows) if given.markdown else as_text(rows))
    if any(each["same"] is False for each in rows):
        raise SystemExit(3)


if __name__ == "__main__":
    main()
