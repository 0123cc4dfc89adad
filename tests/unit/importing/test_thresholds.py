"""Criteria and load of Taurus, thresholds and scenarios of k6, documents of OpenSLO."""

import json
from pathlib import Path
from typing import Any

import pytest
from foreign_files import imported, loaded, refusal

# Taurus.


def criteria(folder: Path, *texts: str) -> Any:
    lines = "".join(f"  - {json.dumps(text)}\n" for text in texts)
    return imported(folder, f"reporting:\n- module: passfail\n  criteria:\n{lines}")


@pytest.mark.parametrize(
    ("text", "section", "entry"),
    [
        ("p95>250ms", "slos", "latency_p95 <= 250ms"),
        ("avg-rt>2s500ms", "slos", "latency_mean <= 2.5s"),
        ("succ<99.5%", "slos", "success_rate >= 99.5%"),
        ("fail>1%", "slos", "success_rate >= 99%"),
        ("failures>10", "slos", "failed_tasks <= 10"),
        ("hits<=100", "slos", "finished_tasks > 100"),
        (
            "avg-rt of Index Page>150ms for 10s, stop as failed",
            "abort",
            {"name": "avg-rt-Index-Page", "when": "latency_mean > 150ms", "window": "1s", "for": "10s"},
        ),
        ("fail>50% for 10s", "abort", {"name": "fail", "when": "success_rate < 50%", "window": "1s", "for": "10s"}),
        ("p99>1s over 30s", "abort", {"name": "p99", "when": "latency_p99 > 1s", "window": "30s"}),
        (
            "p95>250ms for 10s over 30s",
            "abort",
            {"name": "p95", "when": "latency_p95 > 250ms", "window": "30s", "for": "10s"},
        ),
        ("hits<50 for 5s", "abort", {"name": "hits", "when": "throughput < 50/s", "window": "1s", "for": "5s"}),
        ("Too slow: avg-rt>1s for 1m", "abort", {"name": "Too-slow", "when": "latency_mean > 1s", "window": "1s", "for": "1m"}),
        ("rc5??>20% within 10s", "abort", {"name": "rc5", "when": "success_rate < 80%", "window": "10s"}),
    ],
)  # fmt: skip
def test_a_criterion_of_taurus(tmp_path: Path, text: str, section: str, entry: object) -> None:
    found = criteria(tmp_path, text)
    assert found.part[section] == [entry]
    assert found.untranslated == ()
    assert loaded(found.part).scenario


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rc404>5 for 5s", "tasks have no response codes"),
        ("stdev-rt>0.5", "there is no indicator like stdev-rt"),
        ("p90>1s for 10s, stop as non-failed", "stops a test without failing it"),
    ],
)
def test_what_of_taurus_cannot_be_said(tmp_path: Path, text: str, why: str) -> None:
    found = criteria(tmp_path, text)
    assert found.part == {}
    assert [(each.line, each.column) for each in found.untranslated] == [(4, 5)] and why in found.untranslated[0].what


def test_a_criterion_as_a_mapping_and_by_name(tmp_path: Path) -> None:
    full = {
        "subject": "p95",
        "condition": ">",
        "threshold": "1s",
        "timeframe": 10,
        "logic": "within",
        "message": "slow",
    }
    text = json.dumps({"services": [{"module": "passfail", "criteria": [full]}]})
    assert imported(tmp_path, text).part["abort"] == [{"name": "slow", "when": "latency_p95 > 1s", "window": "10s"}]
    text = json.dumps({"services": [{"module": "passfail", "criteria": {"Slow page": "p95>1s over 10s"}}]})
    assert imported(tmp_path, text).part["abort"][0]["name"] == "Slow-page"


@pytest.mark.parametrize(
    ("execution", "duration", "arrivals"),
    [
        ({"throughput": 100, "hold-for": "10m"}, "10m", {"rate": "100/s"}),
        (
            {"throughput": 100, "ramp-up": "1m", "hold-for": "10m"},
            "11m",
            {"rate": "0/s", "stages": [{"to": "100/s", "for": "1m"}, {"for": "10m"}]},
        ),
        (
            {"throughput": 10, "ramp-up": "2m", "hold-for": "1m", "steps": 2},
            "3m",
            {"rate": "5/s", "stages": [{"for": "1m"}, {"rate": "10/s", "for": "1m"}, {"for": "1m"}]},
        ),
    ],
)
def test_the_load_of_taurus(tmp_path: Path, execution: object, duration: str, arrivals: object) -> None:
    found = imported(tmp_path, json.dumps({"execution": execution}))
    assert found.part == {"duration": duration, "workload": {"arrivals": arrivals}}
    assert loaded(found.part).scenario


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p95 is slow", "foreign.yaml:4:5: 'p95 is slow' is not a pass/fail criterion (write it like p95>250ms"),
        ("p95>fast", "foreign.yaml:4:5: 'p95>fast' is not a pass/fail criterion"),
        ("p95>5parsecs", "foreign.yaml:4:5: '5parsecs' is not a duration"),
        ("luck>5", "foreign.yaml:4:5: unknown subject 'luck' (write one of: avg-rt, p95,"),
        ("p95>1s for ever", "foreign.yaml:4:5: 'ever' is not a duration"),
    ],
)
def test_a_wrong_criterion_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert refusal(tmp_path, f"reporting:\n- module: passfail\n  criteria:\n  - {json.dumps(text)}\n").startswith(said)


# k6.


def test_thresholds_of_k6(tmp_path: Path) -> None:
    options = {
        "thresholds": {
            "http_req_duration": ["p(95)<500", {"threshold": "avg<200", "abortOnFail": True}],
            "http_req_failed": ["rate<0.01"],
            "checks": ["rate>0.95"],
            "http_reqs": ["rate>50", "count>=1000"],
            "custom": ["p(90)<1"],
        }
    }
    found = imported(tmp_path, json.dumps(options, indent=1))
    assert found.part["slos"] == [
        "latency_p95 < 500ms",
        "latency_mean < 200ms",
        "success_rate > 99%",
        "success_rate > 95%",
        "throughput > 50/s",
        "finished_tasks >= 1000",
    ]
    assert found.part["abort"] == [{"name": "http_req_duration-avg", "when": "latency_mean >= 200ms"}]
    assert [each.what for each in found.untranslated] == ["custom p(90)<1: p(90) of custom has no counterpart"]
    assert loaded(found.part).scenario


def test_a_threshold_of_some_requests_is_not_one_of_all(tmp_path: Path) -> None:
    abort = {"threshold": "p(95)<500", "abortOnFail": True}
    tagged = {
        "http_req_duration{kind:email}": [abort],
        "http_reqs{ a:b, c:d }": ["count>5"],
        "checks{scenario:b}": ["rate>0.9"],
    }
    found = imported(tmp_path, json.dumps({"thresholds": tagged, "scenarios": {"a": {}, "b": {}}}))
    assert found.part == {}
    whys = [str(each).partition(": ")[2] for each in found.untranslated[:3]]
    assert whys == [
        "http_req_duration{kind:email} p(95)<500: it is of requests with kind:email only, and not of all tasks "
        "(it is left out; where workload.kinds has email, add: latency_p95{kind=email} < 500ms)",
        "http_reqs{ a:b, c:d } count>5: it is of requests with a:b, c:d only, and not of all tasks (it is left out)",
        "checks{scenario:b} rate>0.9: its load is not taken: a scenario has one load (it is left out)",
    ]


def test_a_threshold_of_the_load_that_is_taken(tmp_path: Path) -> None:
    options = {
        "thresholds": {"checks{scenario:a}": ["rate>0.9"]},
        "scenarios": {"a": {"executor": "constant-vus"}, "b": {}},
    }
    options["scenarios"]["a"] |= {"vus": 1, "duration": "1m"}
    assert imported(tmp_path, json.dumps(options)).part["slos"] == ["success_rate > 90%"]


@pytest.mark.parametrize(
    ("load", "least", "why"),
    [
        ({"executor": "constant-arrival-rate", "rate": 3, "duration": "1h"}, 900, "as many tasks as arrive in that time"),
        ({"executor": "constant-arrival-rate", "rate": 3, "duration": "1h", "startTime": "4m"}, 180, "as many tasks as arrive"),
        ({"executor": "constant-vus", "vus": 3, "duration": "1h"}, 20, "how many tasks end in that time is not known"),
    ],
)  # fmt: skip
def test_an_abort_condition_that_waits(tmp_path: Path, load: object, least: int, why: str) -> None:
    late = {"threshold": "p(99)<1500", "abortOnFail": True, "delayAbortEval": "5m"}
    found = imported(tmp_path, json.dumps({"thresholds": {"http_req_duration": [late]}, "scenarios": {"a": load}}))
    condition = {"name": "http_req_duration-99", "when": "latency_p99 >= 1.5s", "min_samples": least}
    assert found.part["abort"] == [condition]
    noted = f"http_req_duration p(99)<1500, abortOnFail: delayAbortEval 5m is `min_samples: {least}`: {why}"
    assert any(note.what.startswith(noted) for note in found.notes)


def test_a_count_cannot_wait(tmp_path: Path) -> None:
    late = {"threshold": "count>1000", "abortOnFail": True, "delayAbortEval": "5m"}
    found = imported(tmp_path, json.dumps({"thresholds": {"http_reqs": [late]}}))
    assert list(found.part) == ["slis", "slos"] and "a count has no least number" in found.untranslated[0].what
    late["delayAbortEval"] = "0s"
    assert imported(tmp_path, json.dumps({"thresholds": {"http_reqs": [late]}})).part["abort"]
    late["delayAbortEval"] = "soon"
    assert "'soon' is not a duration" in refusal(tmp_path, json.dumps({"thresholds": {"http_reqs": [late]}}))


def test_arrival_rates_of_k6(tmp_path: Path) -> None:
    stages = [{"target": 20, "duration": "2m"}, {"target": 20, "duration": "10m"}, {"target": 0, "duration": "1m"}]
    ramping = {"executor": "ramping-arrival-rate", "startRate": 5, "timeUnit": "1m", "stages": stages}
    found = imported(tmp_path, json.dumps({"scenarios": {"a": ramping, "b": {"executor": "constant-vus"}}}))
    assert found.part == {
        "duration": "13m",
        "workload": {
            "arrivals": {
                "rate": "5/min",
                "stages": [{"to": "20/min", "for": "2m"}, {"for": "10m"}, {"to": "0/s", "for": "1m"}],
            }
        },
    }
    assert [each.what for each in found.untranslated] == ["b: a scenario has one load; the first one is taken"]
    constant = {"executor": "constant-arrival-rate", "rate": 30, "duration": "1h"}
    assert imported(tmp_path, json.dumps({"scenarios": {"a": constant}})).part == {
        "duration": "1h",
        "workload": {"arrivals": {"rate": "30/s"}},
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"thresholds": {"checks": ["mostly"]}}, "foreign.yaml:1:28: checks: 'mostly' is not a threshold"),
        ({"thresholds": {"http_req_duration": ["p95<5"]}}, "foreign.yaml:1:39: http_req_duration: 'p95<5' is not a threshold"),
        (
            {"scenarios": {"a": {"executor": "constant-arrival-rate", "rate": 1, "duration": "x"}}},
            "foreign.yaml:1:82: 'x' is not a duration",
        ),
    ],
)  # fmt: skip
def test_wrong_options_are_refused(tmp_path: Path, options: object, said: str) -> None:
    assert refusal(tmp_path, json.dumps(options)).startswith(said)


# OpenSLO.

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: available}}
spec:
  indicatorRef: sli
  budgetingMethod: {method}
  timeWindow: [{{duration: 28d, isRolling: true}}]
  objectives: [{objective}]
  alertPolicies: [{policies}]
---
# The indicator.
apiVersion: openslo/v1
kind: SLI
metadata: {{name: sli}}
spec: {sli}
"""
GOOD = (
    "{ratioMetric: {counter: true, good: {metricSource: {spec: {query: 'rate(ok[5m])'}}}, total: {metricSource: {}}}}"
)
SLOW = "{thresholdMetric: {metricSource: {spec: {query: 'histogram_quantile(0.99, rate(d_seconds_bucket[5m]))'}}}}"


def slo(folder: Path, sli: str, objective: str, policies: str = "", method: str = "Occurrences") -> Any:
    return imported(folder, SLO.format(sli=sli, objective=objective, policies=policies, method=method))


def test_an_objective_of_a_ratio(tmp_path: Path) -> None:
    found = slo(tmp_path, GOOD, "{displayName: Good, targetPercent: 99.5}")
    assert found.part == {"slos": [{"objective": "success_rate >= 99.5%", "note": "OpenSLO: Good"}]}
    assert [(note.line, note.what[:40]) for note in found.notes] == [(7, "available: its time window of 28d is lef")]
    assert loaded(found.part).scenario.objectives[0].comparison.target == 0.995


def test_an_objective_of_a_threshold(tmp_path: Path) -> None:
    found = slo(tmp_path, SLOW, "{op: lte, value: 0.5, target: 0.99}")
    assert found.part["slos"][0]["objective"] == "latency_p99 <= 500ms"
    assert "not for 0.99 of the measurements" in found.notes[-1].what


def test_a_policy_on_the_burn_rate(tmp_path: Path) -> None:
    """14.4 times a budget of 0.5 %: 7.2 % failed."""
    condition = "{kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}"
    policy = (
        "{kind: AlertPolicy, metadata: {name: p}, spec: {conditions: [{kind: AlertCondition, metadata: {name: fast burn}, "
        f"spec: {{severity: page, condition: {condition}}}}}]}}}}"
    )
    found = slo(tmp_path, GOOD, "{target: 0.995}", policy)
    assert found.part["alerts"] == [
        {"name": "fast-burn", "when": "success_rate <= 92.8%", "window": "1h", "for": "5m", "severity": "critical"}
    ]


QUERY = "rate({name}{{name='email'{more}}}[5m])"


def test_a_filter_of_openslo_is_said_to_be_left_out(tmp_path: Path) -> None:
    def noted(sli: str, objective: str, method: str = "Occurrences") -> list[str]:
        return [note.what for note in slo(tmp_path, sli, objective, method=method).notes if "name=" in note.what]

    ratio = GOOD.replace("'rate(ok[5m])'", json.dumps(QUERY.format(name="ok", more=",state='succeeded'")))
    left_out = ["available: name=email: everything is taken together"]
    assert noted(ratio, "{target: 0.99}") == left_out
    assert noted(ratio, "{target: 0.99, timeSliceWindow: 5m}", "Timeslices") == left_out
    slow = (
        SLOW.replace("rate(d_seconds_bucket[5m])", QUERY.format(name="d_seconds_bucket", more=""))
        .replace("'h", '"h')
        .replace("))'", '))"')
    )
    assert noted(slow, "{op: lte, value: 0.5, target: 0.99}") == left_out


def test_an_indicator_of_openslo_that_has_to_be_defined(tmp_path: Path) -> None:
    for system, of in (("queue", "execution.ended"), ("calls", ["call.succeeded", "call.failed"])):
        sli = SLOW.replace("d_seconds", "job_execution_seconds")
        text = SLO.format(sli=sli, objective="{op: lte, value: 0.5, target: 0.99}", policies="", method="Occurrences")
        found = imported(tmp_path, text, system)
        assert found.part["slis"] == {"execution_p99": {"quantile": {"of": of, "q": "99%"}, "unit": "duration"}}
        assert found.part["slos"][0]["objective"] == "execution_p99 <= 500ms"
        assert "job_execution_seconds_bucket: taken for how long executions take" in found.notes[-2].what
        assert loaded(found.part, system).scenario


def test_another_time_in_openslo_is_not_translated(tmp_path: Path) -> None:
    for sli in (GOOD.replace("[5m]", "[5m] offset 1h"), SLOW.replace("[5m]", "[5m] offset 1h")):
        found = slo(tmp_path, sli, "{op: lte, value: 0.5, target: 0.99}")
        assert found.part == {} and "cannot look at another time" in found.untranslated[0].what


def test_a_burn_rate_is_of_what_the_objective_is_of(tmp_path: Path) -> None:
    condition = "{spec: {condition: {kind: burnrate, op: gte, threshold: 10, lookbackWindow: 1h}}}"
    policy = f"{{kind: AlertPolicy, spec: {{conditions: [{condition}]}}}}"
    fast = GOOD.replace("rate(ok[5m])", 'rate(d_seconds_bucket{le="2"}[5m])')
    fast = fast.replace("metricSource: {}", "metricSource: {spec: {query: 'rate(d_seconds_count[5m])'}}")
    assert slo(tmp_path, fast, "{target: 0.99}", policy).part["alerts"][0]["when"] == "latency_share_below(2s) <= 90%"
    found = slo(tmp_path, SLOW, "{op: lte, value: 0.5, target: 0.99}", policy)
    assert "alerts" not in found.part and "has no budget" in found.untranslated[0].what


@pytest.mark.parametrize(
    ("sli", "objective", "said"),
    [
        (GOOD, "{target: 99}", "foreign.yaml:8:25: target: '99' is not from 0 to 1"),
        (GOOD, "{displayName: x}", "foreign.yaml:8:16: an objective needs target or targetPercent"),
        ("{}", "{target: 0.9}", "foreign.yaml:15:7: spec: needs"),
        (SLOW.replace("0.99,", ""), "{op: lte, value: 1, target: 0.9}", "not translated"),
        (SLOW.replace("bucket[", "bucket(["), "{op: lte, value: 1, target: 0.9}", "foreign.yaml:15:5"),
        (SLOW, "{value: 1, target: 0.9}", "foreign.yaml:8:16: a threshold needs op (lte, gte, lt, gt) and value"),
    ],
)
def test_a_wrong_document_is_refused(tmp_path: Path, sli: str, objective: str, said: str) -> None:
    text = SLO.format(sli=sli, objective=objective, policies="", method="Occurrences")
    if said == "not translated":
        assert len(imported(tmp_path, text).untranslated) == 1
        return
    assert refusal(tmp_path, text).startswith(said.removesuffix(" spec: needs"))


def test_another_version_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "apiVersion: openslo/v2\nkind: SLO\n").startswith(
        "foreign.yaml:1:13: 'openslo/v2' is not openslo/v1"
    )


# None of them.


@pytest.mark.parametrize(
    "text", ["a: 1", "[]", "groups: 5", "name: x\nversion: 1\nsystem: queue\n", "--- {}\n---\nb: 2"]
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    said = refusal(tmp_path, text)
    assert (
        "this is none of: OpenSLO documents, Prometheus rules, Taurus configuration, k6 options (check the file" in said
    )


@pytest.mark.parametrize(("text", "line"), [("a: [", 2), ("a: b\n---\nc: [\n", 4), ("", 1)])
def test_a_broken_file_has_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert refusal(tmp_path, text).startswith(f"foreign.yaml:{line}:1:")
