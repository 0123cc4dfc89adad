"""Unit tests of alert rules, for `promtool test rules`: each rule fires when it should and not before, and only then."""

import math
from collections.abc import Iterator
from typing import Any

from soak.runner.export.metrics import EXPORTED, RUNNING, VERDICT, Labels
from soak.runner.export.rules import NOT_PASSED, SILENT, SILENT_AFTER_S, Rule, Term, duration, number, rules_of, series
from soak.schemas.language.model import Scenario

_RUN = ("run", "test-run")
_LONGEST_STEP_S, _SHORTEST_STEP_S = 60, 1
_MOST_STEPS = 2_000
"""An alert that keeps firing for longer is not followed to its end: promtool would be slow."""


def rule_tests(scenario: Scenario, speed: float, rule_file_name: str) -> dict[str, Any]:
    """The tests of the scenario's rules; `rule_file_name`: the file that holds them, beside this one."""
    rules = rules_of(scenario, speed)
    times_s = [time_s for rule in rules for time_s in (rule.for_s, rule.keep_firing_for_s) if time_s]
    shortest_s = min(times_s, default=4.0 * _LONGEST_STEP_S)
    step_s = round(min(_LONGEST_STEP_S, max(_SHORTEST_STEP_S, shortest_s / 4)))
    return {
        "rule_files": [rule_file_name],
        "evaluation_interval": duration(step_s),
        "tests": [
            *(test for rule in rules for test in _tests_of(rule, step_s)),
            _test_of_silence(scenario),
            _test_of_verdicts(scenario),
        ],
    }


def _tests_of(rule: Rule, step_s: int) -> Iterator[dict[str, Any]]:
    values = [_values(term) for term in rule.terms]
    bad, selected = values[0][0], rule.terms[0].selected
    waits, keeps = math.ceil(rule.for_s / step_s), math.ceil(rule.keep_firing_for_s / step_s)
    turns = waits + 2  # the first step at which the value is good again
    looked_at = min(keeps, _MOST_STEPS)

    def check(step: int, *, fires: bool) -> dict[str, Any]:
        expected = [_fired(rule, bad)] if fires else []
        return {"eval_time": duration(step * step_s) if step else "0s", "alertname": rule.name, "exp_alerts": expected}

    def test(
        what: str, running: list[tuple[float, int]], spells: list[tuple[bool, int]], checks: list[dict[str, Any]]
    ) -> dict[str, Any]:
        own: Labels = (selected[0], _RUN)
        return {
            "name": f"{rule.name}: {what}",
            "interval": duration(step_s),
            "input_series": [
                *(
                    {"series": series(term.metric, (*term.selected, _RUN)), "values": _story(_told(each, spells))}
                    for term, each in zip(rule.terms, values, strict=True)
                ),
                {"series": series(RUNNING, own), "values": _story(running)},
            ],
            "alert_rule_test": checks,
        }

    fires = [
        *([check(waits - 1, fires=False)] if waits else []),
        check(waits, fires=True),
        check(turns - 1, fires=True),
    ]
    kept = [check(turns + looked_at - 1, fires=True)] if keeps else []
    resolved = [check(turns + keeps + 1, fires=False)] if keeps == looked_at else []
    rest = looked_at + 3
    yield test("fires, and resolves", [(1, turns + rest)], [(True, turns), (False, rest)], [*fires, *kept, *resolved])
    yield test("all is well", [(1, turns)], [(False, turns)], [check(turns - 1, fires=False)])
    yield test("there is no run", [(0, turns)], [(True, turns)], [check(turns - 1, fires=False)])
    yield test("the run ends", [(1, turns), (0, rest)], [(True, turns + rest)], [*kept, *resolved])


def _fired(rule: Rule, value: float) -> dict[str, Any]:
    """The alert that is expected when the first term of a rule has this value."""
    shown = rule.annotations["description"].replace("{{ $labels.run }}", _RUN[1])
    return {
        "exp_labels": {**dict((*rule.terms[0].selected, _RUN)), **rule.labels},
        "exp_annotations": {**rule.annotations, "description": shown.replace("{{ $value }}", f"{value:g}")},
    }


def _told(values: tuple[float, float], spells: list[tuple[bool, int]]) -> list[tuple[float, int]]:
    """Bad and good values of a term over spells in which all of them are bad, or none."""
    return [(values[0] if is_bad else values[1], steps) for is_bad, steps in spells]


def _values(rule: Term) -> tuple[float, float]:
    """A value for which a term holds, and one for which it does not.

    Powers of ten if possible: Prometheus prints the value, and their format is certain.
    """
    beyond = 10.0 ** math.ceil(math.log10(abs(rule.target)) + 0.5) if rule.target else 1.0
    near = (-beyond, 0.0, beyond, rule.target)
    bad = next(value for value in near if rule.op.holds(value, rule.target))
    return bad, next(value for value in near if not rule.op.holds(value, rule.target))


def _test_of_silence(scenario: Scenario) -> dict[str, Any]:
    own: Labels = (("scenario", scenario.name), _RUN)
    alert = (("alertname", SILENT), ("alertstate", "firing"), ("severity", "warning"), *own)
    minutes = math.ceil(SILENT_AFTER_S / 60)
    fired = [{"labels": series("ALERTS", alert), "value": 1}]
    query = series("ALERTS", (("alertname", SILENT),))
    return {
        "name": f"{SILENT}: the last figures are old",
        "interval": "1m",
        "input_series": [
            {"series": series(EXPORTED, own), "values": _story([(0, 2 * minutes)])},
            {"series": series(RUNNING, own), "values": _story([(1, 2 * minutes)])},
        ],
        "promql_expr_test": [
            {"expr": query, "eval_time": duration(60 * minutes), "exp_samples": []},
            {"expr": query, "eval_time": duration(60 * (minutes + 1)), "exp_samples": fired},
        ],
    }


def _test_of_verdicts(scenario: Scenario) -> dict[str, Any]:
    runs = {"good-run": "PASS", "bad-run": "ABORTED"}
    own = [(("scenario", scenario.name), ("run", run), ("verdict", verdict)) for run, verdict in runs.items()]
    alert = (("alertname", NOT_PASSED), ("alertstate", "firing"), ("severity", "critical"), *own[1])
    return {
        "name": f"{NOT_PASSED}: one run passed, and one did not",
        "interval": "1m",
        "input_series": [{"series": series(VERDICT, labels), "values": "1"} for labels in own],
        "promql_expr_test": [
            {
                "expr": series("ALERTS", (("alertname", NOT_PASSED),)),
                "eval_time": "1m",
                "exp_samples": [{"labels": series("ALERTS", alert), "value": 1}],
            }
        ],
    }


def _story(values: list[tuple[float, int]]) -> str:
    """Values that each last for a number of steps, in promtool's notation."""
    return " ".join(f"{number(value)}+0x{count - 1}" for value, count in values)
