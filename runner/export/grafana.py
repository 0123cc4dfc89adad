"""A Grafana dashboard: the objectives and conditions of a scenario, with their limits drawn in."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from soak.runner.export.about import TAG, scenario_tag
from soak.runner.export.metrics import RUNNING, SUFFIXES, VERDICT, Levels, condition_labels, condition_metric
from soak.runner.export.rules import series
from soak.runner.judge.window_fold import share_of_windows
from soak.schemas.language.conditions import Combination, Comparison
from soak.schemas.language.expression import Op, Unit
from soak.schemas.language.model import Scenario

SCHEMA_VERSION = 38
"""Of Grafana 10; later ones migrate it."""

_UNITS = {
    Unit.DURATION: "s",
    Unit.RATIO: "percentunit",
    Unit.COUNT: "short",
    Unit.RATE: "reqps",
    Unit.SIZE: "bytes",
    Unit.DURATION_PER_HOUR: "s",
    Unit.COUNT_PER_HOUR: "short",
    Unit.SIZE_PER_HOUR: "bytes",
}
_SOURCE = {"type": "prometheus", "uid": "${source}"}
_WIDTH, _STAT_HEIGHT, _PLOT_HEIGHT = 24, 4, 8
_GREEN, _YELLOW, _RED = "green", "yellow", "red"


def dashboard(scenario: Scenario) -> dict[str, Any]:
    """The dashboard in the import format of Grafana: with variables for the data source and the runs."""
    stats = [*_stats(scenario)]
    plots = [*_objectives(scenario), *_conditions(scenario), *_load(scenario), *_resources(scenario)]
    return {
        "uid": f"soak-{scenario.name}"[:40],
        "title": f"Soak: {scenario.title or scenario.name}",
        "tags": ["soak"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": scenario.timezone,
        "graphTooltip": 1,
        "templating": {"list": [*_variables(scenario)]},
        "annotations": {"list": [*_annotations(scenario)]},
        "panels": [*_placed(stats, plots)],
    }


def _variables(scenario: Scenario) -> Iterator[dict[str, Any]]:
    yield {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    query = f"label_values({series(RUNNING, (('scenario', scenario.name),))}, run)"
    yield {
        "name": "run",
        "label": "Run",
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "run"},
        "refresh": 2,
        "sort": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _annotations(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """What is marked in every plot: faults and alerts, from their metrics; what was annotated of runs, where that is done."""
    faults = f"{_chosen(scenario, 'soak_fault_active')} == 1"
    yield _marked("Faults", faults, "fault {{fault}}", "{{run}}", "orange")
    firing = f"{_chosen(scenario, 'soak_alert_firing')} == 1"
    yield _marked("Alerts", firing, "{{severity}} {{alert}}", "{{run}}", "red")
    tags = [TAG, scenario_tag(scenario.name)]
    yield {
        "name": "Annotations of runs",
        "datasource": {"type": "grafana", "uid": "-- Grafana --"},
        "enable": False,
        "iconColor": "blue",
        "target": {"type": "tags", "tags": tags, "matchAny": False, "limit": 1000},
    }


def _marked(name: str, query: str, title: str, text: str, color: str) -> dict[str, Any]:
    """Samples that follow each other become one region."""
    return {
        "name": name,
        "datasource": _SOURCE,
        "enable": True,
        "iconColor": color,
        "expr": query,
        "step": "15s",
        "titleFormat": title,
        "textFormat": text,
    }


def _chosen(scenario: Scenario, metric: str, *labels: tuple[str, str]) -> str:
    """A metric of the selected runs."""
    own = series(metric, (("scenario", scenario.name), *labels))
    return f'{own[:-1]}, run=~"$run"}}'


def _stats(scenario: Scenario) -> Iterator[dict[str, Any]]:
    done = _chosen(scenario, "soak_scenario_time_seconds")
    progress = f"{done} / {_chosen(scenario, 'soak_scenario_duration_seconds')}"
    yield _stat("Running", _chosen(scenario, RUNNING), "short", "{{run}}")
    yield _stat("Done", f"clamp_max({progress}, 1)", "percentunit", "{{run}}")
    yield _stat("Verdict", _chosen(scenario, VERDICT), "short", "{{run}}: {{verdict}}", text="name")
    met = _chosen(scenario, "soak_objective_met")
    yield _stat(
        "Objectives broken so far", f"count by (run) ({met} == 0) or 0 * sum by (run) ({met})", "short", "{{run}}"
    )
    firing = _chosen(scenario, "soak_alert_firing")
    yield _stat("Alerts firing", f"sum by (run) ({firing})", "short", "{{run}}")


def _objectives(scenario: Scenario) -> Iterator[dict[str, Any]]:
    for objective in scenario.objectives:
        comparison, selected = objective.comparison, ("objective", objective.comparison.text)
        if objective.share is not None:
            comparison = share_of_windows(objective)
        suffix = SUFFIXES[objective.unit]
        queries = [(_chosen(scenario, f"soak_objective{suffix}", selected), "{{run}}")]
        if not isinstance(comparison.target, float):
            queries.append((_chosen(scenario, f"soak_objective_target{suffix}", selected), "target {{run}}"))
        yield _plot(
            f"Objective: {comparison.text}",
            queries,
            comparison.sli.unit,
            comparison,
            warn=None if objective.share else objective.warn,
        )


def _conditions(scenario: Scenario) -> Iterator[dict[str, Any]]:
    watched = [("alert", alert.condition) for alert in scenario.alerts]
    for role, condition in [*watched, *(("abort", condition) for condition in scenario.aborts)]:
        for place, part in enumerate(condition.parts):
            comparison, number = part.comparison, place if isinstance(condition, Combination) else None
            query = _chosen(scenario, condition_metric(comparison), *condition_labels(role, condition.name, number))
            title = f"{role.capitalize()} {condition.name}: {comparison.text}"
            yield _plot(title, [(query, "{{run}}")], comparison.sli.unit, comparison, bad=True)


def _load(scenario: Scenario) -> Iterator[dict[str, Any]]:
    firing = _chosen(scenario, "soak_alert_firing")
    yield _timeline("Alerts", [(firing, "{{alert}}")])
    yield _timeline("Scheduled faults", [(_chosen(scenario, "soak_fault_active"), "{{fault}}")])
    ends = (
        series("soak_events_total", (("scenario", scenario.name),))[:-1]
        + ', run=~"$run", type=~"task.done|task.failed"}'
    )
    speed = _chosen(scenario, "soak_speed_ratio")
    rate = f"sum by (run, type) (rate({ends}[$__rate_interval])) / on (run) group_left max by (run) ({speed})"
    yield _plot("Finished tasks, in scenario time", [(rate, "{{type}} {{run}}")], Unit.RATE)
    yield _plot("Tasks by state", [(_chosen(scenario, "soak_tasks"), "{{state}} {{run}}")], Unit.COUNT)
    injected = _chosen(scenario, "soak_faults_injected_total")
    yield _plot("Faults injected", [(injected, "{{fault}} {{run}}")], Unit.COUNT)


def _resources(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """The gauges of the system, grouped by unit."""
    for unit in dict.fromkeys(Levels(scenario).units):
        query = _chosen(scenario, f"soak_level{SUFFIXES[unit]}")
        yield _plot(f"Levels, {unit.value}", [(query, "{{series}} {{run}}")], unit)


def _placed(stats: list[dict[str, Any]], plots: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Panels with numbers and places: a row of stats, then two plots to a row."""
    numbers = count(1)
    width = _WIDTH // len(stats)
    for column, panel in enumerate(stats):
        yield {"id": next(numbers), **panel, "gridPos": _place(column * width, 0, width, _STAT_HEIGHT)}
    for index, panel in enumerate(plots):
        row, column = divmod(index, 2)
        place = _place(column * _WIDTH // 2, _STAT_HEIGHT + row * _PLOT_HEIGHT, _WIDTH // 2, _PLOT_HEIGHT)
        yield {"id": next(numbers), **panel, "gridPos": place}


def _place(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _stat(title: str, query: str, unit: str, legend: str, text: str = "value") -> dict[str, Any]:
    options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": text, "colorMode": "none"}
    return _panel("stat", title, [(query, legend)], {"unit": unit}, options)


def _plot(
    title: str,
    queries: list[tuple[str, str]],
    unit: Unit,
    limit: Comparison | None = None,
    *,
    bad: bool = False,
    warn: Comparison | None = None,
) -> dict[str, Any]:
    """A plot over time; `limit`: drawn as a line, with the bad side shaded.

    `bad`: the comparison describes the bad side. `warn`: a stricter one, up to which it is shaded otherwise.
    """
    shown: dict[str, Any] = {"unit": _UNITS[unit]}
    if limit and isinstance(limit.target, float):
        steps = _steps(limit.op, limit.target, bad=bad)
        shown["thresholds"] = {"mode": "absolute", "steps": _with_warning(steps, limit.op, warn)}
        # An axis ends with the values: a limit that nothing comes near would be outside of it.
        near = 0.05 * (abs(limit.target) or 1.0)
        ends = {"axisSoftMin": limit.target - near, "axisSoftMax": limit.target + near}
        shown["custom"] = {"thresholdsStyle": {"mode": "line+area"}, **ends}
        shown["color"] = {"mode": "palette-classic"}
    return _panel(
        "timeseries", title, queries, shown, {"legend": {"displayMode": "list"}, "tooltip": {"mode": "multi"}}
    )


def _steps(op: Op, target: float, *, bad: bool) -> list[dict[str, Any]]:
    """Colours from below to above: where `op target` holds, the one colour, and elsewhere the other."""
    holds, fails = (_RED, _GREEN) if bad else (_GREEN, _RED)
    above = target + max(abs(target), 1.0) / 1e6
    sides: dict[Op, list[tuple[str, float | None]]] = {
        Op.LT: [(holds, None), (fails, target)],
        Op.LE: [(holds, None), (fails, above)],
        Op.GT: [(fails, None), (holds, above)],
        Op.GE: [(fails, None), (holds, target)],
        Op.EQ: [(fails, None), (holds, target), (fails, above)],
        Op.NE: [(holds, None), (fails, target), (holds, above)],
        # With `~`, values near the target are neither good nor bad.
        Op.ABOUT: [(holds, None)],
    }
    return [{"color": color, "value": value} for color, value in sides[op]]


def _with_warning(steps: list[dict[str, Any]], op: Op, warn: Comparison | None) -> list[dict[str, Any]]:
    """The colours, with one more between a warning level and the limit; of `==` and the like there is no stricter one."""
    if warn is None or not isinstance(warn.target, float) or len(steps) != 2:
        return steps
    below, above = steps
    if op in {Op.LT, Op.LE}:
        return [below, {"color": _YELLOW, "value": warn.target}, above]
    return [below, {**above, "color": _YELLOW}, {"color": _GREEN, "value": warn.target}]


def _timeline(title: str, queries: list[tuple[str, str]]) -> dict[str, Any]:
    words = {"0": {"text": "no", "color": _GREEN}, "1": {"text": "yes", "color": _RED}}
    shown = {"mappings": [{"type": "value", "options": words}]}
    return _panel("state-timeline", title, queries, shown, {"mergeValues": True, "showValue": "never"})


def _panel(
    kind: str, title: str, queries: list[tuple[str, str]], shown: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + place), "expr": query, "legendFormat": legend, "datasource": _SOURCE}
        for place, (query, legend) in enumerate(queries)
    ]
    return {
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "targets": targets,
        "fieldConfig": {"defaults": shown, "overrides": []},
        "options": options,
    }
