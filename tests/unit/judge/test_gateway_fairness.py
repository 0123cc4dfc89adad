"""Fairness of a gateway: slowdown over a phase and Jain's index, from histories made by hand."""

import math

import numpy as np
import pytest
from histories import scenario, verdict
from hypothesis import given
from hypothesis import strategies as st

from soak.runner.judge.fairness import jain_index, max_min, user_seconds
from soak.schemas.errors import ScenarioError
from soak.schemas.evidence.verdict import Status
from soak.schemas.language.windows import Window


def test_jains_index_is_that_of_the_paper() -> None:
    """One of four tenants that gets all has 1 / 4; equal shares have 1."""
    asked = np.full(4, math.inf)
    assert jain_index(np.array([8.0, 0, 0, 0]), asked) == pytest.approx(0.25)
    assert jain_index(np.array([2.0, 2, 2, 2]), asked) == 1
    # x = 1, 3 of 2 each: (0.5 + 1.5)^2 / (2 * (0.25 + 2.25)).
    assert jain_index(np.array([1.0, 3.0]), np.full(2, math.inf)) == pytest.approx(0.8)


def test_who_asks_for_little_is_entitled_to_no_more() -> None:
    assert jain_index(np.array([1.0, 9.0]), np.array([1.0, 100.0])) == 1
    # Entitled to 1 and 9; has 0.5 and 9.5.
    found = jain_index(np.array([0.5, 9.5]), np.array([1.0, 100.0]))
    assert found == pytest.approx((0.5 + 9.5 / 9) ** 2 / (2 * (0.25 + (9.5 / 9) ** 2)))


def test_of_fewer_than_two_nothing_is_said() -> None:
    assert math.isnan(jain_index(np.array([1.0]), np.array([1.0])))
    assert math.isnan(jain_index(np.array([1.0, 0.0]), np.array([1.0, 0.0])))
    assert math.isnan(jain_index(np.array([0.0, 0.0]), np.array([1.0, 1.0])))


def test_max_min_shares_fill_the_small_ones_first() -> None:
    assert max_min(np.array([2.0, 8.0, 4.0]), 9.0).tolist() == [2, 3.5, 3.5]
    assert max_min(np.array([2.0, 8.0, 4.0]), 20.0).tolist() == [2, 8, 4]


@given(st.lists(st.floats(0.1, 100), min_size=2, max_size=6), st.floats(0.01, 0.99))
def test_max_min_shares_are_all_there_is(asked: list[float], part: float) -> None:
    total = part * sum(asked)
    shares = max_min(np.array(asked), total)
    assert shares.sum() == pytest.approx(total)
    assert (shares <= np.array(asked) + 1e-9).all()
    unmet = shares < np.array(asked) - 1e-9
    assert np.ptp(shares[unmet]) == pytest.approx(0, abs=1e-6)


def test_the_time_of_users_is_the_area_under_their_number() -> None:
    ramp = ((0.0, 0.0), (10.0, 10.0))
    assert user_seconds(ramp, Window(0, 10)) == 50
    assert user_seconds(ramp, Window(5, 20)) == 37.5 + 100
    assert user_seconds(((0.0, 3.0), (4.0, 3.0), (4.0, 0.0)), Window(2, 9)) == 6
    assert user_seconds((), Window(0, 9)) == 0


GATEWAY = """
system: gateway
duration: 20m
workload:
  arrivals: {rate: 1/s}
  tenants: [{name: A, share: 0.5}, {name: B, share: 0.5}]
phases: [{name: early, for: 10m}, {name: late, for: 10m}]
slos: [%s]
"""


def history(late: float, count: int = 150) -> str:
    """Requests of A that take 1 s to 1.5 s in the early phase, `late` times that in the other."""
    lines = []
    for phase in (0, 1):
        for each in range(count):
            number, due = phase * count + each, 600 * phase + 3 * each
            took = (1 + each / count / 2) * (late if phase else 1)
            lines += [f"{due} enqueued {number} due={due} tenant=A", f"{due} dispatched {number}"]
            lines += [f"{due + took} done {number}"]
    return "\n".join(sorted(lines, key=lambda line: float(line.split()[0])))


def test_slowdown_is_the_quotient_of_two_percentiles() -> None:
    made = verdict(history(1.5), GATEWAY % '"slowdown{tenant=A, phase=late} <= 1.2"')
    (found,) = made.objectives
    assert (found.sli, found.unit, found.target, found.status) == ("slowdown", "count", 1.2, Status.FAIL)
    assert found.value == pytest.approx(1.5, abs=1e-5)
    assert found.margin == pytest.approx(-0.3, abs=1e-5)


def test_slowdown_has_an_interval_that_holds_it() -> None:
    text = GATEWAY % '{objective: "slowdown{tenant=A, phase=late} <= 4", confidence: 0.8}'
    (found,) = verdict(history(1.5, count=190), text).objectives
    assert found.value == pytest.approx(1.5, abs=1e-5)
    assert found.interval is None or (found.interval[0] or 0) <= 1.5 <= (found.interval[1] or math.inf)


def test_of_few_requests_there_is_no_slowdown() -> None:
    """A 99th percentile of fewer than a hundred is the largest."""
    (found,) = verdict(history(1.5, count=90), GATEWAY % '"slowdown{tenant=A, phase=late} <= 1.2"').objectives
    assert (found.status, found.detail) == (Status.INCONCLUSIVE, "90 of at least 100 observations")


def test_every_phase_but_the_baseline() -> None:
    made = scenario(GATEWAY % '"slowdown{tenant=*, phase=*} <= 1.2"')
    assert [each.comparison.text for each in made.objectives] == [
        f"slowdown{{tenant={tenant}, phase=late}} <= 1.2" for tenant in "AB"
    ]


@pytest.mark.parametrize(
    ("slo", "what"),
    [
        ("slowdown <= 1.2", "slowdown compares a phase with early (write slowdown{phase=…})"),
        ('"slowdown{phase=early} <= 1.2"', "slowdown compares phase=early with itself (name another phase)"),
        ('"slowdown{phase=late} <= 0"', "slowdown is always above 0 (write a number such as 1.2)"),
        ('"slowdown{phase=late} ~ 1"', "slowdown is not compared by ~ (compare with <= or >=)"),
        (
            '"slowdown{phase=late} <= 1.2x phase=early"',
            "slowdown is relative to phase=early already (write a number, such as <= 1.2)",
        ),
        ('{objective: "slowdown{phase=late} <= 1.2", window: 1m}', "slowdown has no windows (remove window)"),
        ('"jain_index{tenant=A} >= 0.9"', "jain_index has no label tenant (it has phase)"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(slo: str, what: str) -> None:
    with pytest.raises(ScenarioError) as error:
        scenario(GATEWAY % slo)
    assert what in str(error.value)


@pytest.mark.parametrize(
    ("when", "what"),
    [
        (
            "'slowdown{phase=late} > 1.2'",
            "slowdown compares two phases and is known at the end only (use it under slos, or latency_p99 here)",
        ),
        ("jain_index < 0.9", "jain_index is known at the end only (use it under slos)"),
    ],
)
def test_neither_is_known_during_a_run(when: str, what: str) -> None:
    with pytest.raises(ScenarioError) as error:
        scenario(f"{GATEWAY % 'success_rate >= 0.1'}\nalerts: [{{name: a, when: {when}}}]\n")
    assert what in str(error.value)


def test_jains_index_counts_what_succeeded_against_what_was_due() -> None:
    """Of 4 and 4 requests 4 and 2 succeed: A is entitled to 3, and B too."""
    lines = []
    for number in range(8):
        tenant, end = "AB"[number % 2], "failed" if number in {1, 3} else "done"
        cause = " error=throttled" if end == "failed" else ""
        lines += [f"{number} enqueued {number} due={number} tenant={tenant}", f"{number}.5 {end} {number}{cause}"]
    wanted = '"jain_index >= 0.95", "jain_index{phase=early} >= 0.5", "jain_index{phase=late} >= 0.5"'
    made = verdict("\n".join(lines), GATEWAY % wanted)
    x = np.array([4 / 3, 2 / 3])
    expected = x.sum() ** 2 / (2 * (x**2).sum())
    whole, early, late = made.objectives
    assert whole.value == pytest.approx(expected) and early.value == pytest.approx(expected)
    assert (whole.status, early.status, late.status) == (Status.FAIL, Status.PASS, Status.INCONCLUSIVE)
