"""Files that nobody wrote: each is imported, or refused in words with its place."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreign_files import loaded
from hypothesis import given, settings
from hypothesis import strategies as st

from soak.runner.importing.session import import_file
from soak.schemas.errors import ScenarioError

RATIO = 'sum(rate(http_requests_total{code=~"5.."}[5m])) / sum(rate(http_requests_total[5m])) > 0.05'
QUANTILE = "histogram_quantile(0.9, sum by (le) (rate(a_seconds_bucket[5m])))"
FULL = {"subject": "fail", "condition": ">", "threshold": "5%"}
BURN = {"kind": "burnrate", "threshold": 2, "lookbackWindow": "1h"}
LATE = {"threshold": "avg<5", "abortOnFail": True, "delayAbortEval": "1m"}
UP = {"target": 5, "duration": "1m"}
OURS = '{"system": "queue", "when": "x < 1"}'
FILES: list[Any] = [
    {
        "groups": [
            {
                "name": "g",
                "rules": [
                    {"record": "r", "expr": "sum(queue_length)"},
                    {"alert": "A", "expr": RATIO, "for": "5m", "labels": {"severity": "page"}, "annotations": {"soak": "{}"}},
                    {"alert": "B", "expr": f"{QUANTILE} > 2 and min_over_time(queue_length[5m]) > 5", "keep_firing_for": "1m"},
                    {"alert": "C", "expr": 'soak_condition_ratio{role="alert"} < 0.5', "annotations": {"soak": OURS}},
                ],
            }
        ]
    },
    {
        "execution": [{"concurrency": 5, "throughput": 10, "ramp-up": "1m", "hold-for": "5m", "steps": 3, "scenario": "s"}],
        "scenarios": {"s": {"think-time": "1s"}},
        "reporting": [{"module": "passfail", "criteria": ["p95 of x>1s for 10s", FULL]}],
    },
    {
        "thresholds": {"http_req_duration": ["p(95)<500", LATE], "checks": ["rate>0.9"]},
        "scenarios": {"a": {"executor": "ramping-vus", "startTime": "2m", "stages": [UP], "timeUnit": "1s"}},
    },
    {"vus": 5, "iterations": 20, "duration": "5m"},
    {"scenarios": {"a": {"executor": "per-vu-iterations", "vus": 5, "iterations": 20, "startTime": "1m", "maxDuration": "5m"}}},
    {
        "execution": {"concurrency": {"local": 5, "cloud": 9}, "ramp-up": "1m", "iterations": 7, "steps": 3, "delay": "5s"},
        "scenarios": {"s": {"think-time": "uniform(1s, 500ms)", "requests": ["a", {"url": "b", "think-time": "1s"}]}},
    },
    {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "x"},
        "spec": {
            "indicator": {"spec": {"thresholdMetric": {"metricSource": {"spec": {"query": QUANTILE}}}}},
            "timeWindow": [{"duration": "28d"}],
            "budgetingMethod": "Timeslices",
            "objectives": [{"op": "lte", "value": 0.5, "target": 0.99, "timeSliceTarget": 0.9, "timeSliceWindow": 5}],
            "alertPolicies": [{"spec": {"conditions": [{"spec": {"condition": BURN}}]}}],
        },
    },
]  # fmt: skip
ODD = st.sampled_from(
    ["", "x", "5m", "-1", "1e400", "p95>1s", "rate(x[5m]) > 1", "0s", "9" * 40, True, None]
) | st.sampled_from([-1, 0, 1.5, 1e300, 10**400, [], {}, [[]], {"a": 1}])
KEYS = st.sampled_from(
    [
        "startTime",
        "for",
        "expr",
        "alert",
        "target",
        "value",
        "op",
        "threshold",
        "timeframe",
        "conditionRef",
        "options",
        "stages",
    ]
)


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    for key in list(data) if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ():
        yield data, key
        yield from places(data[key])


@st.composite
def mutated(draw: st.DrawFn) -> str:
    data = copy.deepcopy(draw(st.sampled_from(FILES)))
    for _ in range(draw(st.integers(1, 4))):
        container, key = draw(st.sampled_from(list(places(data)) or [(data, "a")]))
        match draw(st.sampled_from(["delete", "replace", "replace", "add"])):
            case "delete":
                container.pop(key, None) if isinstance(container, dict) else container.pop(key)
            case "add" if isinstance(container, dict):
                container[draw(KEYS)] = copy.deepcopy(draw(ODD))
            case _:
                container[key] = copy.deepcopy(draw(ODD))
    return json.dumps(data, indent=1)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_the_files_themselves_are_imported(tmp_path: Path, number: int) -> None:
    data = copy.deepcopy(FILES[number])
    if number == 0:
        del data["groups"][0]["rules"][1]["annotations"]
    (tmp_path / "f.json").write_text(json.dumps(data))
    assert import_file(tmp_path / "f.json", "queue").part


@settings(max_examples=300)
@given(text=mutated())
def test_an_odd_file_is_imported_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.getbasetemp() / "odd.json"
    path.write_text(text)
    try:
        found = import_file(path, "queue")
    except ScenarioError as error:
        assert all(line.startswith(f"{path}:") and line.endswith(")") for line in str(error).split("\n"))
        return
    assert all(problem.line for problem in (*found.untranslated, *found.notes))
    loaded(found.part)
