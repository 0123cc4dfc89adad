"""Results of every analysis, small, with a name in them that is not to be believed: what their pages are made of."""

import numpy as np

from soak.reports.pages.calibration import calibration_page
from soak.reports.pages.compare import changes_page
from soak.reports.pages.gate import gate_page
from soak.reports.pages.limits import limits_page
from soak.reports.pages.parity import parity_page
from soak.reports.pages.power import power_page
from soak.reports.pages.prediction import prediction_page
from soak.reports.pages.selftest import FoundCheck, Tried, selftest_page
from soak.reports.pages.target_check import Checked, TargetCheck, target_page
from soak.reports.pages.whatif import what_if_page
from soak.schemas.evidence import calibration as cal
from soak.schemas.evidence import changes as chg
from soak.schemas.evidence import limits as lim
from soak.schemas.evidence import parity as par
from soak.schemas.evidence import power as pwr
from soak.schemas.evidence import prediction as pre
from soak.schemas.evidence import whatif as wif
from soak.schemas.evidence.decision import Decision, RuleCheck, RuleResult
from soak.schemas.evidence.false_alarms import FalseAlarm, Remedy
from soak.schemas.evidence.verdict import End, Outcome, Status
from soak.schemas.language.distributions import Exponential

EVIL = "</script><script>alert('x')</script><img src=//evil.example/x>"
LONG = "a_name_without_any_space_" * 8
SHA = "ab" * 32


def power(*, seen: bool = False) -> pwr.PowerReport:
    """An objective with a violation that was asked for and is seen or not, and one of which nothing can be said."""
    violation = pwr.Violation(0.95, None, True, 0.99 if seen else 0.412, seen, 1800.0 if seen else 7000.0, False)
    curve = [pwr.CurvePoint(size, probability) for size, probability in ((0.97, 0.05), (0.95, 0.41), (0.9, 1.0))]
    pilot = pwr.Pilot(20, 0, 0, 0.99, 0.001)
    told = pwr.ObjectivePower(
        "success_rate >= 97%", "success_rate", {}, ">=", "ratio", "ratio", 0.97, 1234.0, 1.25, pilot, pwr.Method.BINOMIAL,
        pwr.Scale.VALUE, "", 0.97, 0.91, None, 0.9, [violation], curve, ["a note"],
    )  # fmt: skip
    untold = pwr.ObjectivePower(
        LONG,
        LONG,
        {},
        "<=",
        "duration",
        "p95",
        1.0,
        0.0,
        None,
        pilot,
        None,
        None,
        EVIL,
        None,
        None,
        None,
        None,
        [],
        [],
        [],
    )
    alarm = FalseAlarm(
        EVIL,
        "success_rate < 95%",
        "success_rate >= 97%",
        "page",
        300.0,
        0.0,
        10,
        0.2,
        0.01,
        "",
        [Remedy(50, None, 0.005)],
    )
    return pwr.PowerReport(1, "a", EVIL, SHA, 3600.0, 0.0, 1, 20, 1, 0.95, seen, [told, untold], [alarm])


def what_if(*, regressed: bool = True) -> wif.WhatIf:
    """One SLI that is worse or the same, one that never differs."""
    direction = chg.Direction.WORSE if regressed else chg.Direction.UNCHANGED
    worse = wif.Effect(
        LONG, "duration", "lower", 6, 10.0, 15.0, 5.0, 0.5, 4.5, 3.0, 6.0, 6, 0, 0.03, 2.5, direction, "", "10s before, 15s now",
        [10.0] * 6, [15.0, 14.0, 16.0, 15.0, None, 15.5],
    )  # fmt: skip
    same = wif.Effect(
        "success_rate", "ratio", "higher", 6, 0.99, 0.99, 0.0, 0.0, 0.0, None, None, 0, 0, None, None, chg.Direction.UNCHANGED,
        "no pair differs", "", [0.99] * 6, [0.99] * 6,
    )  # fmt: skip
    sides = [
        wif.Variant(SHA, words, 60.0, wif.Verdicts(count, 6 - count, 0, 0))
        for words, count in (([], 6), ([f"name={EVIL}"], 2))
    ]
    relative = chg.RelativeResult("success_rate >= 1x baseline", 0.98, 0.99, Status.FAIL, "success_rate")
    return wif.WhatIf(
        2, "a", "pr", ["queue.workers=2"], 7, 10, list(range(6)), 0.95, 0.05, 0.01, 0.0, regressed,
        [EVIL] if regressed else [], *sides, 0.125, [worse, same], [relative],
    )  # fmt: skip


def changes(*, regressed: bool = True) -> tuple[chg.Changes, chg.Differences]:
    """One SLI that is worse or the same, tasks one by one."""
    sli = chg.BaselineSli("duration", "lower", 10.0, [10.0, 11.0, 9.0, None])
    base = chg.Baseline(1, "a", SHA, EVIL, 1, 1.0, Outcome.PASS, None, 3600.0, {LONG: sli}, "queue", 900.0)
    direction = chg.Direction.WORSE if regressed else chg.Direction.UNCHANGED
    change = chg.SliChange(LONG, "duration", 10.0, 12.0, 2.0, 0.2, 0.001, direction, "", 12.0)
    quantiles = [chg.QuantileChange(0.5, 8.0, 9.0, 1.0)]
    time = chg.TimeChange(100, 10.0, 12.0, 2.0, 1.5, 2.5, 60, 10, 30, 3.0, quantiles)
    outcomes = [chg.OutcomeChange("DONE", EVIL, 3)]
    tasks = chg.TaskChanges(3600.0, 1.0, 100, 0, 0, 0.95, time, time, 0.1, 5, 1, outcomes, 2, 1, 0.9)
    longer_s = np.array([0.0] * 30 + [1.5] * 60 + [-0.02] * 10)
    differences = chg.Differences(
        np.linspace(0, 3600, 100), longer_s, np.linspace(0, 3600, 5), np.array([1.0, 2.0, 1.0, 3.0])
    )
    reasons = [EVIL] if regressed else []
    return chg.Changes(
        2, base, base, True, "", ["seed 1 against 2"], 0.01, 0.02, regressed, reasons, [change], [], tasks
    ), differences


def parity(*, status: par.Agreement = par.Agreement.DIFFERS) -> tuple[par.Parity, par.Latencies]:
    """Two runs of 50 tasks, of which one differs."""
    agrees = status is par.Agreement.AGREES
    figures = [
        par.Figure(
            "latency_paired_median", par.Topic.LATENCY, EVIL, "duration", None, None, 0.7, 0.5, "500ms", status, LONG
        ),
        par.Figure(
            "success_rate", par.Topic.SLI, "", "ratio", 0.99, 0.98, -0.01, 0.02, "2 points", par.Agreement.AGREES, ""
        ),
        par.Figure(
            "wait_p99", par.Topic.SLI, "", "duration", None, 1.0, None, None, "", par.Agreement.NOT_COMPARED, "too few"
        ),
    ]
    base = par.ParityRun(EVIL, "simulation", "simulated", 1.0, End.COMPLETED, Outcome.PASS, 3600.0, 1000)
    run = par.ParityRun("b", "orchestrator", "real", 60.0, End.COMPLETED, Outcome.FAIL, 3601.0, 1001)
    different = [] if agrees else [par.TaskDifference(EVIL, "DONE", "FAILED", 1, 3, LONG, EVIL)]
    counts = par.TaskCounts(50, 50, 50, 50, 50 if agrees else 49, 50, 50)
    found = par.Parity(
        1, status, [] if agrees else [EVIL], "a", SHA, 3, base, run, 0.01, counts, figures, different, []
    )
    times = np.linspace(1.0, 20.0, 50)
    return found, par.Latencies(times, times + 0.7, np.linspace(0, 3600, 50), np.full(50, 0.7))


def calibration(*, answer: cal.Answer = cal.Answer.DOES_NOT) -> cal.Calibration:
    """Two SLIs, of which one is outside."""
    predictions = [
        cal.SliPrediction("latency_p95", "duration", 9.0, 5.0, 4.0, 6.0, False, 0.01),
        cal.SliPrediction(LONG, "ratio", 0.99, 0.99, 0.98, 1.0, True, 0.8),
        cal.SliPrediction("wait_p99", "duration", None, None, None, None, None, None),
    ]
    check = cal.Check(answer, [EVIL], 80, 100, predictions, 2, 1, 0.1, 0.05)
    parameters = [
        cal.CalibratedParameter("workload.task.duration.mean", "s", 8.0, 5.0, 4.5, 5.5, 200, cal.Taken.RUN, 5.0, EVIL),
        cal.CalibratedParameter(LONG, "ratio", 0.1, None, None, None, 0, cal.Taken.UNSEEN, 0.1, ""),
    ]
    fits = [cal.Fit("exponential", {"mean": 5.0}, -500.0, 1002.0, 1006.0, 0.04, 0.5)]
    overheads = [cal.Overhead("dispatch", 0.6, 0.01, 100)]
    return cal.Calibration(
        1, "a", SHA, EVIL, "orchestrator", "real", 1, "completed", 60.0, 1.0, 0.0, 2520.0, 3600.0, 200, 220, fits, "exponential",
        200, overheads, parameters, ["a note"], check, ["overlay.yaml"],
    )  # fmt: skip


def limits(*, own: float = 4.0) -> lim.Limits:
    """A limit of four workers along one of two parameters, and a plane of both."""
    causes = [lim.Cause(EVIL, 20)]
    good = lim.Point([4.0, 0.1], ["4", "10%"], 20, 20, 1.0, (0.8, 1.0), True, lim.Basis.TEST, {Outcome.PASS: 20}, [])
    bad = lim.Point(
        [3.0, 0.1], ["3", "10%"], 20, 0, 0.0, (0.0, 0.2), False, lim.Basis.GLANCE, {Outcome.FAIL: 20}, causes
    )
    limit = lim.Limit(lim.LimitSide.SMALLEST, good, bad, 4.0 / own)
    parameters = [
        lim.VariedParameter("queue.workers", lim.NumberKind.WHOLE, own, f"{own:g}", 1.0, "1", 9.0, "9", False),
        lim.VariedParameter(f"faults.{LONG}.rate", lim.NumberKind.RATIO, 0.1, "10%", 0.0, "0%", 0.5, "50%", True),
    ]
    searches = [
        lim.Search(0, lim.SearchOutcome.FOUND, [limit], [bad, good]),
        lim.Search(1, lim.SearchOutcome.UNKNOWN, [], []),
    ]
    grid = lim.Grid([3.0, 4.0], ["3", "4"], [0.1, 0.2], ["10%", "20%"], [[bad, good], [bad, None]])
    return lim.Limits(
        1,
        "a",
        SHA,
        1,
        3600.0,
        [],
        None,
        0.95,
        (0.905, 0.974),
        0.025,
        200,
        0.02,
        7,
        True,
        80,
        parameters,
        searches,
        grid,
    )


def prediction(*, decision: pre.Decision | None = pre.Decision.MISSED) -> tuple[pre.Prediction, pre.Observed]:
    """Forty replications, of which ten do not PASS."""
    values = np.linspace(90.0, 130.0, 40)

    def spread(found: np.ndarray) -> pre.Distribution:
        quantiles = [pre.Quantile(q, float(np.quantile(found, q))) for q in pre.QUANTILES]
        return pre.Distribution(
            40, float(found.mean()), float(found.std()), float(found.min()), float(found.max()), quantiles
        )

    def share(count: int) -> pre.Share:
        return pre.Share(count, count / 40, (max(0.0, count / 40 - 0.1), min(1.0, count / 40 + 0.1)))

    objective = pre.ObjectivePrediction(
        "latency_p95 <= 120s", "latency_p95", "latency_p95", "<=", "duration", 120.0, share(30), share(10), share(0), 0,
        spread(values), spread(120 - values), True, 1.2,
    )  # fmt: skip
    verdicts = [pre.OutcomeShare(each, share({Outcome.PASS: 30, Outcome.FAIL: 9}.get(each, 0))) for each in Outcome]
    first = pre.FirstToBreak("latency_p95 <= 120s", pre.First.BROKEN, 10, 10, None)
    abort = pre.AbortPrediction(EVIL, f"{LONG} > 1", share(1), spread(np.full(40, 600.0)))
    found = pre.Prediction(
        1, "a", EVIL, SHA, "1.0", 3, 3600.0, 40, 40, pre.Stopped.COMPLETED, 0.95, None, None if decision is None else 0.99,
        decision, share(30), verdicts, [objective], first, [abort], [pre.Doubt(EVIL, 2)],
    )  # fmt: skip
    return found, pre.Observed([values.tolist()], [(120 - values).tolist()], [[Status.PASS] * 40], {EVIL: [600.0]})


def decision(*, passed: bool = False) -> Decision:
    """One rule with two files, one of which is not as it should be."""
    checks = [RuleCheck("runs/a", True, "72h: PASS"), RuleCheck(EVIL, passed, LONG)]
    rules = [RuleResult("three days", passed, "" if passed else EVIL, checks), RuleResult("unit tests", True, "", [])]
    return Decision(1, "rc", EVIL, passed, "2026-01-01T00:00:00Z", None, rules, [])


def tried(*, as_meant: bool = False) -> list[Tried]:
    """A defect that was found by what was meant, or by something else, and a sound run."""
    found = [FoundCheck("law ledger", "FAIL", None, as_meant), FoundCheck(EVIL, "FAIL", 61.0)]
    return [
        Tried("lost_ack", "zombies", False, "FAIL", "law ledger", as_meant, found, 61.0 if as_meant else None),
        Tried(LONG, "zombies", True, "PASS", "nothing found", True),
        Tried("t1, truth", "celery", False, None, "FAIL", True, why=EVIL),
    ]


def target_check(*, kept: bool = False) -> TargetCheck:
    """A promise that is kept or broken, and one that was not tested."""
    checks = [
        Checked("at_least_once", "kept" if kept else "broken", EVIL),
        Checked(LONG, "not tested", "no attempt met the fault"),
    ]
    return TargetCheck(
        "targets/mine.yaml", "promise", checks, "level 2: by reports", {"accepted": 20, "DONE": 19}, (EVIL,)
    )


def pages() -> dict[str, str]:
    """Every page, of a result that is bad news, by the name of its file."""
    made = {
        "power": power_page(power()),
        "what_if": what_if_page(what_if()),
        "changes": changes_page(*changes()),
        "parity": parity_page(*parity()),
        "calibration": calibration_page(
            calibration(), np.random.default_rng(1).exponential(5.0, 200), Exponential(5.0)
        ),
        "limits": limits_page(limits(own=2.0)),
        "prediction": prediction_page(*prediction()),
        "gate": gate_page(decision()),
        "selftest": selftest_page(tried(), EVIL, "soak selftest"),
        "target": target_page(target_check()),
    }
    return {name: page.decode() for name, page in made.items()}
