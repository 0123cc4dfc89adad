"""Runs for a terminal: a line each, and a sparkline of the margins of the runs like it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from soak.schemas.errors import printable
from soak.schemas.evidence.runs import RunRow, RunState
from soak.schemas.units import show_duration

BARS = "▁▂▃▄▅▆▇█"
SPARK = 10
"""Runs that a sparkline shows: this one and those before it."""

_NONE = "·"
_WIDEST = {"scenario": 28, "target": 20, "seed": 20, "objective": 40}
_DROPPED = ("seed", "length", "commit", "trend", "target")
"""Columns that a narrow terminal does without, the first of these first."""

_TITLES = {
    "verdict": "VERDICT",
    "scenario": "SCENARIO",
    "target": "TARGET",
    "seed": "SEED",
    "started": "STARTED (UTC)",
    "length": "LENGTH",
    "commit": "COMMIT",
    "margin": "MARGIN",
    "objective": "OBJECTIVE",
    "trend": "TREND",
    "run": "RUN",
}
_RIGHT = frozenset({"seed", "margin"})
_GAP = "  "


def sparklines(rows: Sequence[RunRow]) -> dict[str, str]:
    """Of each run with a verdict, by its path: bars of the smallest relative margins of the `SPARK` last runs like it.

    rows: all runs, newest first. Bars go from the least to the largest margin of these runs; a dot is a run without a margin.
    """
    alike: defaultdict[tuple[str, ...], list[RunRow]] = defaultdict(list)
    for row in reversed(rows):
        if row.state.judged:
            alike[row.series].append(row)
    return {path: line for runs in alike.values() for path, line in _lines_of(runs)}


def _lines_of(runs: Sequence[RunRow]) -> Iterator[tuple[str, str]]:
    margins = [smallest_margin(run) for run in runs]
    known = [each for each in margins if each is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    bars = "".join(_NONE if each is None else BARS[_height(each, low, high)] for each in margins)
    for place, run in enumerate(runs):
        yield run.path, bars[max(0, place + 1 - SPARK) : place + 1]


def _height(margin: float, low: float, high: float) -> int:
    return round((margin - low) / (high - low) * (len(BARS) - 1)) if high > low else len(BARS) // 2


def smallest_margin(run: RunRow) -> float | None:
    """The smallest relative margin of its objectives; None where none has any, or a broken one has none."""
    return run.tightest.relative_margin if run.tightest else None


def scenario_words(run: RunRow) -> str:
    """The scenario, with its tier and what `--set` changed."""
    changed = ", ".join(filter(None, [run.tier, *run.settings]))
    return f"{run.scenario} ({changed})" if changed else run.scenario


def length_words(run: RunRow) -> str:
    """How long it was to be, and where it ended before."""
    if run.length_s is None:
        return ""
    length = show_duration(run.length_s)
    early = run.ended_s is not None and run.ended_s < 0.999 * run.length_s
    return f"{show_duration(round(run.ended_s or 0.0))} of {length}" if early else length


def commit_words(run: RunRow) -> str:
    """The commit in short; with a `+` where it had uncommitted changes."""
    return f"{run.commit[:8]}{'+' if run.dirty else ''}"


def margin_words(margin: float | None) -> str:
    """A relative margin for people."""
    if margin is None:
        return ""
    return f"{margin:.0%}" if abs(margin) >= 0.1 or not margin else f"{100 * margin:.2g}%"


class _Line(Struct, frozen=True):
    state: RunState
    cells: Mapping[str, str]
    problem: str


def list_lines(
    rows: Sequence[RunRow], sparks: Mapping[str, str], folder: str, width: int | None
) -> Iterator[tuple[RunState | None, str, int]]:
    """Lines of a table with a heading: each with the state of its run (None: the heading) and the width of its first cell.

    folder: where the runs are, as it was given. width: of the terminal; None for as wide as needed.
    """
    lines = [_line(row, sparks, folder) for row in rows]
    widths = {name: max([len(title), *(len(each.cells[name]) for each in lines)]) for name, title in _TITLES.items()}
    columns = _fitting(widths, width)
    yield None, _joined(_TITLES, columns, widths), 0
    for each in lines:
        problem = f"{_GAP}{each.problem}" if each.problem else ""
        yield each.state, f"{_joined(each.cells, columns, widths)}{problem}", len(each.state.value)


def _line(row: RunRow, sparks: Mapping[str, str], folder: str) -> _Line:
    tightest = row.tightest if row.state.judged else None
    cells = {
        "verdict": row.state.value,
        "scenario": scenario_words(row),
        "target": row.target,
        "seed": "" if row.seed is None else str(row.seed),
        "started": row.started_at[:16].replace("T", " "),
        "length": length_words(row),
        "commit": commit_words(row),
        "margin": margin_words(smallest_margin(row)) if tightest else "",
        "objective": tightest.objective if tightest else "",
        "trend": sparks.get(row.path, ""),
        "run": folder if row.path == "." else f"{folder}/{row.path}",
    }
    return _Line(
        row.state, {name: _cut(printable(text), _WIDEST.get(name)) for name, text in cells.items()}, row.problem
    )


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[: most - 1]}…"


def _fitting(widths: Mapping[str, int], width: int | None) -> list[str]:
    """The columns for which there is room."""
    columns = list(_TITLES)
    for name in _DROPPED:
        if width is None or sum(widths[each] + len(_GAP) for each in columns) - len(_GAP) <= width:
            break
        columns.remove(name)
    return columns


def _joined(cells: Mapping[str, str], columns: Sequence[str], widths: Mapping[str, int]) -> str:
    padded = (
        cells[name].rjust(widths[name]) if name in _RIGHT else cells[name].ljust(widths[name]) for name in columns
    )
    return _GAP.join(padded).rstrip()


def counts_in_words(rows: Sequence[RunRow]) -> str:
    """How many runs there are, by their states, and other folders: `3 runs: 2 PASS, 1 FAIL; 1 other folder`."""
    counts = Counter(row.state for row in rows)
    others = counts.pop(RunState.FOREIGN, 0)
    states = ", ".join(f"{counts[state]:,} {state.value}" for state in RunState if counts[state])
    runs = f"{_counted(counts.total(), 'run')}: {states}" if states else "no runs"
    return f"{runs}; {_counted(others, 'other folder')}" if others else runs


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
