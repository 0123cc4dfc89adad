"""Requests of a gateway: answers, what makes the load, and the files of the evidence, from histories made by hand."""

import json
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from histories import block_of, make_judge, pieces, scenario, verdict
from jsonschema import Draft202012Validator

from soak.runner.judge.account import Beside
from soak.runner.judge.gateway.account import GatewayAccount
from soak.runner.judge.gateway.comparable import GatewayComparable
from soak.schemas.evidence.verdict import End, Outcome, Status
from soak.schemas.files import DIRECTORY
from soak.schemas.language.check import Figure, LoadFigure, numbered
from soak.schemas.systems.gateway.documents import (
    COMPARISON,
    ERRORS,
    LATENCY,
    CheckReport,
    ComparisonReport,
    LatencyReport,
)

GATEWAY = """
system: gateway
duration: 20s
workload:
  arrivals: {rate: 1/s}
  tenants: [{name: A, share: 0.5}, {name: B, share: 0.5}]
  kinds: [{name: allowed, share: 0.5}, {name: denied, share: 0.5}]
phases: [{name: early, for: 10s}, {name: late, for: 10s}]
slos: [%s]
"""

HISTORY = """
    0    enqueued 1 due=0 tenant=A kind=allowed
    0    dispatched 1
    1    response.received 1 status=200
    1    done 1
    2    enqueued 2 due=1.5 tenant=B kind=denied
    2    dispatched 2
    3    response.received 2 status=200
    3    failed 2 error=wrong_answer
    4    enqueued 3 due=4 tenant=B kind=allowed
    4    dispatched 3
    9    enqueued 4 due=9 tenant=A kind=allowed
    9    dispatched 4
    9.5  failed 3 error=timeout
    11   response.received 4 status=200
    11   done 4
    12   enqueued 5 due=12 tenant=A kind=denied
    12   dispatched 5
    12.5 response.received 5 status=429
    12.5 failed 5 error=throttled
"""


def test_a_wrong_answer_is_told_with_its_status_tenant_and_kind() -> None:
    made = verdict(HISTORY, GATEWAY % "wrong_answers == 0, throttled == 0, timeouts == 0")
    assert [each.value for each in made.objectives] == [1, 1, 1]
    wrong, throttled, late = made.explanation
    (case,) = wrong.cases[0].first
    assert (wrong.cases[0].cause, case.task, case.detail) == ("wrong_answer", "2", "status 200, tenant B, kind denied")
    assert throttled.cases[0].first[0].detail == "status 429, tenant A, kind denied"
    assert late.cases[0].first[0].detail == "tenant B, kind allowed"


def test_an_answer_that_nobody_asked_for_breaks_a_law() -> None:
    (law,) = [each for each in verdict(HISTORY, GATEWAY % "requests >= 1").laws if each.law == "answers"]
    assert (law.status, law.value) == (Status.PASS, 0)
    made = verdict(f"{HISTORY}\n 13 response.received 6 status=200\n", GATEWAY % "requests >= 1")
    (law,) = [each for each in made.laws if each.law == "answers"]
    assert (law.status, law.detail) == (Status.FAIL, "1 of 5 answers came without one")


def test_a_service_that_answers_nothing_earns_no_pass() -> None:
    silent = "\n".join(
        f"{t} enqueued {t} due={t} tenant=A kind=allowed\n{t} dispatched {t}\n{t}.001 failed {t} error=connection_error"
        for t in range(10)
    )
    made = verdict(silent, GATEWAY % "latency_p50 < 1s, wrong_answers == 0")
    assert [each.status for each in made.objectives] == [Status.PASS, Status.PASS]
    assert made.verdict is Outcome.INCONCLUSIVE
    assert "law answers: none of 10 requests was answered" in made.reasons


def samples(kind: str, values: list[float]) -> str:
    return "\n".join(f"{13 + place / 100} sample.{kind} w0 {value}" for place, value in enumerate(values))


@pytest.mark.parametrize(
    ("more", "outcome", "said"),
    [
        (samples("load_cpu", [0.5] * 40), Outcome.PASS, ""),
        (samples("load_cpu", [0.99, *[0.5] * 39]), Outcome.PASS, ""),
        (
            samples("load_cpu", [0.95] * 4 + [0.5] * 36),
            Outcome.INCONCLUSIVE,
            "process 0 that makes load was the bottleneck: above 90% of a core in 10% of its samples, 95% at most",
        ),
        (
            samples("load_lag", [70.0] * 4 + [0.5] * 36),
            Outcome.INCONCLUSIVE,
            "process 0 that makes load was late with requests in 10% of its samples",
        ),
        (
            "13 load.worker_joined w0 name=a\n13 load.worker_joined w1 name=b\n14 load.worker_lost w0 name=a",
            Outcome.PASS,
            "",
        ),
        (
            "13 load.worker_joined w0 name=a\n14 load.worker_lost w0 name=a",
            Outcome.INCONCLUSIVE,
            "every process that makes load was lost, the last at 14s",
        ),
    ],
)
def test_load_that_is_the_bottleneck_leaves_nothing_to_say(more: str, outcome: Outcome, said: str) -> None:
    made = verdict(f"{HISTORY}\n{more}", GATEWAY % "requests >= 1")
    assert made.verdict == outcome
    assert said in " ".join(made.reasons)


def test_a_latency_that_a_busy_generator_measured_is_not_fail() -> None:
    busy = samples("load_cpu", [0.95] * 40)
    calm, other = (verdict(f"{HISTORY}\n{more}", GATEWAY % "latency_max <= 1ms").objectives[0] for more in ("", busy))
    assert (calm.status, other.status) == (Status.FAIL, Status.INCONCLUSIVE)
    assert other.detail.startswith("broken, but process 0 that makes load was the bottleneck")


def test_checks_know_how_many_requests_there_were_of_each_kind_and_tenant() -> None:
    made = make_judge(GATEWAY % "requests >= 1" + CHECKS)
    for _ in made.observe(block_of(HISTORY, made.vocabulary, until=20.0)):
        pass
    parts = [(kind, tenant) for kind in ("allowed", "denied", "") for tenant in ("A", "B", "")]
    found = {figure: [made.figure(LoadFigure(figure, kind), tenant) for kind, tenant in parts] for figure in Figure}
    assert found == {
        Figure.OFFERED: [2, 1, 3, 1, 1, 2, 3, 2, 5],
        Figure.DONE: [2, 0, 2, 0, 0, 0, 2, 0, 2],
        Figure.FAILED: [0, 1, 1, 1, 1, 2, 1, 2, 3],
    }


CHECKS = """
checks:
  - name: chain
    for_each: tenant
    when: after
    exec: ["true"]
    expect: {violations: 0, rows_verified: "== rows_written"}
"""


def checked(
    history: str, checks: str = CHECKS, end: End = End.COMPLETED
) -> dict[str, tuple[str, dict[str, float], str]]:
    """What chain_verify.json says of each tenant after checks with these answers, of a run that ended so."""
    made = make_judge(GATEWAY % "requests >= 1" + checks)
    found = GatewayAccount(made.scenario, made.vocabulary)
    found.observe(block_of(history, made.vocabulary, until=30.0))
    beside = Beside(datetime(2026, 1, 1, tzinfo=UTC), 1.0, UTC, (), lambda name: None, end=end)
    report = found.documents(beside)["chain_verify.json"]
    assert isinstance(report, CheckReport)
    schema = json.loads((DIRECTORY / "check_answers.schema.json").read_text(encoding="utf-8"))
    assert list(Draft202012Validator(schema).iter_errors(msgspec.to_builtins(report))) == []
    return {each.tenant: (each.status, each.values, each.detail) for each in report.tenants}


def test_what_a_check_answered_stands_in_its_file() -> None:
    """B's verifier has looked at 3 of 4 rows; A's found a violation."""
    names = [name for _, name in numbered(scenario(GATEWAY % "requests >= 1" + CHECKS).checks)]
    lines = [
        f"21 check.value w{names.index(name)} {value} tenant={tenant}"
        for tenant, values in {"A": (1, 4, 4), "B": (0, 3, 4)}.items()
        for name, value in zip(("violations", "rows_verified", "rows_written"), values, strict=True)
    ]
    lines += [f"21 check.done w0 0.1 tenant={tenant}" for tenant in "AB"]
    found = checked("\n".join(lines))
    assert found["A"][:2] == ("FAIL", {"violations": 1, "rows_verified": 4, "rows_written": 4})
    assert found["B"] == ("INCONCLUSIVE", {"violations": 0, "rows_verified": 3, "rows_written": 4}, found["B"][2])
    assert "3 of 4 (rows_verified of rows_written)" in found["B"][2]
    assert checked("1 enqueued 1 due=1")["A"] == ("INCONCLUSIVE", {}, "it was not made")


def test_what_is_tried_until_it_holds_is_open_where_the_run_was_interrupted() -> None:
    """As in the verdict: FAIL only where there was time for it."""
    settled = CHECKS.replace("when: after", "when: settled, within: 9s".replace(", ", "\n    "))
    names = [name for _, name in numbered(scenario(GATEWAY % "requests >= 1" + settled).checks)]
    lines = [
        f"21 check.value w{names.index(name)} {value} tenant=A"
        for name, value in {"violations": 1, "rows_verified": 4, "rows_written": 4}.items()
    ]
    history = "\n".join([*lines, "21 check.done w0 0.1 tenant=A"])
    assert checked(history, settled)["A"][::2] == ("FAIL", "not within 9s")
    so_far = "it did not hold so far: the run was interrupted before"
    assert checked(history, settled, End.INTERRUPTED)["A"][::2] == ("INCONCLUSIVE", so_far)


def test_the_files_are_as_their_schemas_say() -> None:
    latency, comparison, _ = account([])
    for name, report in (("latency", latency), ("comparison", comparison)):
        schema = json.loads((DIRECTORY / f"{name}.schema.json").read_text(encoding="utf-8"))
        Draft202012Validator.check_schema(schema)
        found = Draft202012Validator(schema).iter_errors(json.loads(msgspec.json.encode(report)))
        assert [error.message for error in found] == []


def account(cuts: list[int]) -> tuple[LatencyReport, ComparisonReport, str]:
    """The files of the history, in blocks that end before these events."""
    made = make_judge(GATEWAY % "requests >= 1")
    found = GatewayAccount(scenario(GATEWAY % "requests >= 1"), made.vocabulary)
    for part in pieces(block_of(HISTORY, made.vocabulary, until=20.0), cuts):
        found.observe(part)
    beside = Beside(datetime(2026, 1, 1, tzinfo=UTC), 1.0, UTC, (), lambda name: None)
    documents = found.documents(beside)
    latency, comparison = documents[LATENCY], documents[COMPARISON]
    assert isinstance(latency, LatencyReport) and isinstance(comparison, ComparisonReport)
    return latency, comparison, found.texts(beside)[ERRORS].decode()


def test_latencies_count_from_when_a_request_was_due() -> None:
    latency, _, _ = account([])
    found = {(each.tenant, each.kind, each.phase): each for each in latency.latencies}
    assert (found[None, None, None].count, found[None, None, None].errors) == (5, 3)
    b = found["B", "denied", "early"]
    assert (b.count, b.errors, b.max_s, b.mean_s) == (1, 1, 1.5, 1.5)
    a = found["A", None, "early"]
    assert (a.count, a.errors, a.max_s, a.mean_s) == (2, 0, 2.0, 1.5)
    allowed, denied = found[None, "allowed", None], found[None, "denied", None]
    assert (allowed.count, allowed.by_error, allowed.max_s) == (3, {"timeout": 1}, 5.5)
    assert (denied.count, denied.by_error) == (2, {"throttled": 1, "wrong_answer": 1})
    (of_a, of_b) = latency.over_time
    assert (of_a.tenant, sum(of_a.due), sum(of_a.done), sum(of_a.failed)) == ("A", 3, 2, 1)
    assert of_b.due[1] == 1 and of_b.due[4] == 1 and of_b.failed[3] == 1 and of_b.failed[9] == 1


def test_what_is_offered_and_achieved_is_of_the_phase_in_which_it_was() -> None:
    _, comparison, _ = account([])
    early, late = comparison.phases
    assert comparison.baseline == "early"
    assert [(each.tenant, each.offered_per_s, each.achieved_per_s) for each in early.tenants] == [
        ("A", 0.2, 0.1),
        ("B", 0.2, 0.0),
    ]
    # A's request of the early phase ends in the other; one more is due there and fails.
    assert [(each.offered_per_s, each.achieved_per_s) for each in late.tenants] == [(0.1, 0.1), (0.0, 0.0)]
    # One succeeded, and both tenants asked for 2: each is entitled to a half.
    assert early.jain_index == pytest.approx(0.5)
    assert all(each.slowdown is None for each in late.tenants)


def test_failed_requests_are_listed() -> None:
    _, _, text = account([])
    assert text.splitlines() == [
        "# 3 requests failed",
        "# 1 throttled",
        "# 1 timeout",
        "# 1 wrong_answer",
        "2026-01-01T00:00:03.000Z 3.000000s tenant=B kind=denied status=200 error=wrong_answer task=2",
        "2026-01-01T00:00:09.500Z 9.500000s tenant=B kind=allowed error=timeout task=3",
        "2026-01-01T00:00:12.500Z 12.500000s tenant=A kind=denied status=429 error=throttled task=5",
    ]


def test_the_files_do_not_depend_on_where_blocks_end() -> None:
    whole, draw = account([]), np.random.default_rng(1)
    for _ in range(20):
        assert account(draw.integers(1, 19, 4).tolist()) == whole
    assert account(list(range(1, 19))) == whole


def test_what_two_runs_must_share_is_by_tenant_and_kind() -> None:
    made = make_judge(GATEWAY % "requests >= 1")
    found = GatewayComparable(made.scenario, made.vocabulary)
    for part in pieces(block_of(HISTORY, made.vocabulary, until=20.0), [3, 9]):
        found.observe(part)
    values = {each.name: each.values for each in found.series()}
    assert values["requests{tenant=A, kind=allowed}"] == (2,)
    assert values["success_rate{tenant=A, kind=allowed}"] == (1,)
    assert values["latency_p95{tenant=A, kind=allowed}"] == pytest.approx((2.0,), rel=0.01)
    assert values["throttled{tenant=A, kind=denied}"] == (1,) and values["wrong_answers{tenant=B, kind=denied}"] == (1,)
    assert made.scenario.workload.labels and len(values) == 5 * 4
