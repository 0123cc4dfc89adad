"""What a generated scenario is judged by: objectives, alerts, abort conditions, indicators of its own; and what is observed."""

from collections.abc import Mapping
from typing import Any

from engines.dice import seconds
from engines.frame import Data, Frame
from soak.schemas.language.expression import Unit
from soak.schemas.language.registry import language_of
from soak.schemas.language.slis import Aggregate, Better, Sli

OWN: Mapping[str, Data] = {
    "retry_share": {"ratio": {"good": "task.retry", "total": ["task.retry", "task.done", "task.failed"]}},
    "expiries": {"count": "lease.expired"},
    "work_p90": {"unit": "duration", "quantile": {"of": "execution.ended", "q": "90%"}},
    "depth": {"gauge": {"of": "sample.queue_depth"}},
    "fast": {"share": {"of": "latency", "below": "5s"}},
}
DERIVED = ("latency_p99.9", "wait_p75", "latency_share_below(20s)", "latency_p10")
COUNTED = (Unit.COUNT,)


def judged(frame: Frame, faults: list[Data], scenario: Data) -> Data:
    """`slos`, `slis`, `alerts`, `abort`, `evidence`."""
    dice, found = frame.dice, Data()
    own = dice.some(list(OWN), 3) if dice.wants() else []
    known = {name: sli for name, sli in language_of("queue").slis.items() if _here(sli, scenario)}
    if own:
        found["slis"] = {name: OWN[name] for name in own}
    if dice.chance(0.8):
        found["slos"] = [_objective(frame, scenario, known, own) for _ in range(dice.whole(1, 6))]
    if dice.wants():
        found["alerts"] = [_alert(frame, known, faults, number) for number in range(dice.whole(1, 3))]
    if dice.wants():
        found["abort"] = [_abort(frame, known, number) for number in range(dice.whole(1, 2))]
    if dice.wants(0.3):
        found["evidence"] = "strict"
    return found


def observed(frame: Frame) -> Data:
    """`telemetry` and `checkpoints`."""
    dice, found = frame.dice, Data()
    run_s = frame.duration_s + frame.drain_s
    # Never more than some hundred samples.
    sample_s = dice.time_s(run_s / 300, run_s / 10) if dice.chance(0.7) else max(60.0, run_s / 300)
    found["telemetry"] = {"sample_interval": f"{sample_s:.3f}s"}
    if dice.wants():
        found["telemetry"] |= {"max_gap": dice.time(sample_s, 5 * sample_s), "max_lag": dice.time(0.5, 600)}
    if dice.wants():
        found["checkpoints"] = {"every": dice.time(run_s / 20, run_s)}
    if dice.wants(0.7):
        every = found.get("checkpoints", {}).get("every", "")
        equal = every if every and float(every[:-1]) < 0.9 * frame.duration_s and dice.chance(0.5) else ""
        found["warmup"] = equal or seconds(min(dice.time_s(0.01, frame.duration_s / 2), 0.9 * frame.duration_s))
    return found


def _here(sli: Sli, scenario: Data) -> bool:
    """Whether an indicator says anything of this scenario."""
    needs = {"workers_alive": {"schedule", "scaling"}, "dead_lettered": {"max_deliveries"}}
    return not sli.only_real and needs.get(sli.name, {"workers"}) & {*scenario["queue"], "workers"} != set()


def _target(frame: Frame, sli: Sli) -> str:
    """A target that is sometimes met."""
    dice = frame.dice
    match sli.unit:
        case Unit.RATIO:
            return dice.pick(dice.share(0.5, 1.0), dice.share())
        case Unit.DURATION:
            return dice.time(0.1, max(1.0, frame.duration_s / 3))
        case Unit.COUNT:
            return str(dice.pick(0, 1, dice.whole(1, frame.tasks)))
        case Unit.RATE:
            return f"{round(dice.between(0.1, 3) * 60 / frame.gap_s, 3):g}/min"
        case Unit.SIZE:
            return "600MB"
        case Unit.DURATION_PER_HOUR:
            return f"{dice.time(0.1, 600)}/h"
        case Unit.SIZE_PER_HOUR:
            return "1MB/h"
    return "10/h"


def _compared(frame: Frame, name: str, sli: Sli, *, good: bool, labels: str = "") -> str:
    """An indicator with a limit on its good or on its bad side."""
    least = (sli.better is Better.HIGHER) == good
    operators = (">=", ">") if least else ("<=", "<")
    return f"{name}{labels} {frame.dice.pick(*operators)} {_target(frame, sli)}"


def _labels(frame: Frame, scenario: Data) -> str:
    """A selector of some of the labels that there are."""
    dice, found = frame.dice, dict[str, str]()
    phases = [each["name"] for each in scenario.get("phases", ())]
    queues = [each["name"] for each in scenario["queue"].get("queues", ())]
    for label, names in (("tenant", frame.tenants), ("kind", frame.kinds), ("phase", phases), ("queue", queues)):
        if names and dice.chance(0.4):
            found[label] = dice.pick("*", *names)
    return f"{{{', '.join(f'{label}={name}' for label, name in found.items())}}}" if found else ""


def _objective(frame: Frame, scenario: Data, known: Mapping[str, Sli], own: list[str]) -> Any:
    dice = frame.dice
    if own and dice.chance(0.3):
        return {"retry_share": "retry_share <= 20%", "expiries": "expiries < 5", "work_p90": "work_p90 <= 20s",
                "depth": "depth <= 30", "fast": "fast >= 50%"}[dice.pick(*own)]  # fmt: skip
    name = dice.pick(*known, *["success_rate", "latency_p95"] * 4)
    sli, derived = known[name], dice.pick(*DERIVED) if dice.chance(0.15) else ""
    if derived:
        return f"{derived} {'>= 50%' if 'share' in derived else '<= 5m'}"
    if dice.wants(0.2):
        return {"objective": "latency_p95 <= 20m", "warn": "<= " + dice.time(0.1, 900)}
    labels = _labels(frame, scenario) if name.startswith(("success_rate", "latency_p", "wait_p")) else ""
    entry: Data = {"objective": _compared(frame, name, sli, good=True, labels=labels)}
    if dice.wants():
        entry["min_samples"] = dice.whole(1, 30)
    if sli.aggregate in {Aggregate.RATIO, Aggregate.QUANTILE, Aggregate.MEAN} and dice.wants(0.7):
        entry["confidence"] = dice.pick("90%", "95%")
    if dice.wants(0.3):
        entry |= {"note": "drawn"} | ({"only": "real"} if dice.chance(0.2) else {})
    if sli.aggregate in {Aggregate.RATIO, Aggregate.QUANTILE} and dice.wants(0.5):
        entry |= {"window": dice.time(frame.duration_s / 30, frame.duration_s)}
        if "confidence" in entry or dice.chance(0.4):
            entry["in"] = "80%"
    return entry if len(entry) > 1 or dice.chance(0.2) else entry["objective"]


WATCHED = (
    "success_rate", "latency_p95", "latency_max", "queue_depth", "stall_time", "oldest_pending", "wait_p95", "throughput",
    "duplicate_executions", "recovery_rate", "lease_contentions", "telemetry_gap", "latency_p50", "state_transitions",
)  # fmt: skip


def _leaf(frame: Frame, known: Mapping[str, Sli]) -> Data:
    """A condition that holds now and then."""
    dice, name = frame.dice, frame.dice.pick(*WATCHED, "success_rate", "latency_p95")
    entry: Data = {"when": _compared(frame, name, known[name], good=False)}
    if known[name].aggregate is Aggregate.RATE or (known[name].aggregate is not Aggregate.LONGEST and dice.chance(0.6)):
        entry["window"] = dice.time(frame.duration_s / 50, frame.duration_s / 2)
    if dice.wants():
        entry["for"] = dice.time(0.1, frame.duration_s / 20)
    if dice.wants() and known[name].aggregate in {Aggregate.RATIO, Aggregate.QUANTILE}:
        entry["min_samples"] = dice.whole(1, 10)
    return entry


def _condition(frame: Frame, known: Mapping[str, Sli]) -> Data:
    dice = frame.dice
    if not dice.chance(0.2):
        return _leaf(frame, known)
    parts = [_leaf(frame, known) for _ in range(2)]
    if dice.chance(0.3):
        parts[0] = {"any" if dice.chance(0.5) else "all": [_leaf(frame, known), _leaf(frame, known)]}
    return {dice.pick("all", "any"): parts}


def _alert(frame: Frame, known: Mapping[str, Sli], faults: list[Data], number: int) -> Data:
    dice, alert = frame.dice, Data(name=f"alert-{number}", **_condition(frame, known))
    if dice.wants():
        alert["keep_firing_for"] = dice.time(0.1, frame.duration_s / 10)
        alert["severity"] = dice.pick("info", "warning", "critical")
    if dice.wants():
        timed = [each["name"] for each in faults if "at" in each or "every" in each]
        of = {"of": dice.pick(*timed)} if timed and dice.chance(0.6) else {}
        alert["expect"] = dice.pick(
            "never",
            "fires",
            {**of, "fires_within": "2m"},
            {**of, "max_flaps": 1, "at_least": 1, "resolves_within": "5m"},
        )
    return alert


def _abort(frame: Frame, known: Mapping[str, Sli], number: int) -> Data:
    then = {"then": "fail"} if frame.dice.chance(0.3) else {}
    return {"name": f"abort-{number}", **_condition(frame, known), **then}
