"""The settings of a generated queue, with queues and kinds of their own."""

from engines.dice import per_minute
from engines.frame import Data, Frame

JITTERS = ("none", "full", "equal", "decorrelated", "20%")


def number_of_workers(frame: Frame) -> int:
    """From one to twenty, often few; now and then many more than there is work for."""
    return 150 if frame.dice.chance(0.01) else frame.dice.pick(1, 1, 2, 3, 4, frame.dice.whole(1, 20))


def queue(frame: Frame) -> Data:
    """All of `queue`."""
    dice = frame.dice
    found: Data = {"workers": frame.workers, **_pace(frame), **_leases(frame)}
    if dice.wants(1.5):
        found["retry"] = retry(frame)
    if dice.wants(0.5):
        most = min(6, found.get("retry", {}).get("max_attempts", 4))
        found["max_deliveries"] = dice.whole(1, most)
    if dice.wants(0.5):
        found["time_limit"] = dice.time(0.05 * frame.gap_s * frame.workers + 0.001, 5 * frame.gap_s * frame.workers)
    if dice.wants():
        found["guardrail"] = {"mode": dice.pick("enforce", "observe"), "soft_tokens": 10, "hard_tokens": 10}
    if frame.kinds and dice.wants(0.6):
        found["queues"] = _queues(frame)
        del found["workers"]
    return found


def _pace(frame: Frame) -> Data:
    dice, found = frame.dice, Data()
    if dice.wants(1.5):
        found["poll_interval"] = dice.pick("0s", dice.time(0.05, min(30, frame.duration_s / 3)))
    if dice.wants():
        found["dispatchers"] = dice.whole(1, 4)
    if dice.wants(0.5):
        found["claim_time"] = dice.pick("0s", "100ms", dice.time(0.001, 2))
    if dice.wants():
        found["watchdog_interval"] = dice.time(0.5, min(120, frame.duration_s / 2))
    if dice.wants():
        found["worker_restart"] = dice.pick("0s", dice.time(0.5, min(60, frame.duration_s / 10)))
    if dice.wants(0.5):
        found["busy_timeout"] = dice.pick("0s", dice.time(0.1, 20))
    return found


def _leases(frame: Frame) -> Data:
    dice = frame.dice
    if not dice.wants(1.5):
        return {}
    if dice.chance(0.25):
        return {"ack": dice.pick("early", "early", "late")}
    lease_s = dice.time_s(0.5, max(1.0, min(300, frame.duration_s / 2)))
    heartbeat = "none" if dice.chance(0.4) else dice.time(0.05 * lease_s, 0.9 * lease_s)
    return {"lease": {"duration": f"{lease_s:.3f}s", "heartbeat": heartbeat}}


def retry(frame: Frame) -> Data:
    """What happens after a transient error."""
    dice = frame.dice
    longest_s = max(2.0, frame.duration_s / 20)
    backoff: list[str] | Data = [dice.pick("0s", dice.time(0.1, longest_s)) for _ in range(dice.whole(1, 4))]
    jitter = dice.pick(*JITTERS)
    if jitter == "decorrelated" or dice.chance(0.4):
        first_s = dice.time_s(0.05, longest_s / 2)
        first = "0s" if dice.chance(0.1) else f"{first_s:.3f}s"
        backoff = {"initial": first, "factor": dice.pick(1, 2, 1.5), "max": f"{round(longest_s, 3):.3f}s"}
    found: Data = {"backoff": backoff}
    if jitter != "none":
        found["jitter"] = jitter
    if dice.chance(0.05):
        return {**found, "max_attempts": 100}
    return {**found, "max_attempts": dice.whole(1, 6)} if dice.chance(0.7) else found


def _queues(frame: Frame) -> list[Data]:
    """Queues that take all kinds between them."""
    dice, first = frame.dice, dice_some(frame)
    rest = [each for each in frame.kinds if each not in first]
    found: list[Data] = [{"name": "fast", "workers": dice.whole(1, 6), "kinds": first}]
    if rest:
        found.append({"name": "slow", "workers": dice.whole(1, 6), **({"kinds": rest} if dice.chance(0.5) else {})})
    for each in found:
        if dice.chance(0.3):
            each["rate_limit"] = per_minute(dice.between(0.3, 3) / frame.gap_s)
        elif dice.chance(0.4):
            each["prefetch"] = dice.whole(0, 4)
    return found


def dice_some(frame: Frame) -> list[str]:
    """Some of the kinds, or all."""
    return frame.dice.some(frame.kinds, len(frame.kinds))


def own_of_kinds(frame: Frame, scenario: Data) -> None:
    """Give kinds of work settings of their own."""
    settings = scenario["queue"]
    for kind in scenario["workload"].get("kinds", ()):
        if frame.dice.chance(0.6):
            kind["priority"] = frame.dice.whole(-2, 2)
        if frame.dice.chance(0.3):
            kind["retry"] = retry(frame)
            if settings.get("retry", {}).get("jitter") == "decorrelated" and "jitter" not in kind["retry"]:
                kind["retry"]["jitter"] = "none"
        if frame.dice.chance(0.2):
            kind["time_limit"] = frame.dice.time(0.1 * frame.gap_s + 0.001, 5 * frame.gap_s * frame.workers)
        if frame.dice.chance(0.2):
            kind["hard_tokens"] = 5000


def fleet(frame: Frame, settings: Data) -> None:
    """Give a queue workers that come and go; none where queues have their own."""
    dice = frame.dice
    if "queues" in settings or not dice.wants(0.5):
        return
    if dice.chance(0.5):
        steps = sorted({frame.inside_s() for _ in range(dice.whole(1, 4))})
        settings["schedule"] = [{"at": f"{at_s:.3f}s", "workers": dice.whole(1, 12)} for at_s in steps]
        return
    least, most = max(1, frame.workers - dice.whole(0, 3)), frame.workers + dice.whole(1, 6)
    out = {"queue_depth": dice.whole(0, 8), **({"by": dice.whole(1, 3)} if dice.chance(0.5) else {})}
    scaling: Data = {"min": least, "max": most, "out": out}
    if dice.chance(0.7):
        scaling["in"] = {"idle": dice.pick("0s", dice.time(1, frame.duration_s / 5)), "by": dice.whole(1, 3)}
    scaling["every"] = dice.time(frame.duration_s / 200, frame.duration_s / 10)
    scaling["delay"] = dice.pick("0s", dice.time(0.5, frame.duration_s / 10))
    settings["scaling"] = scaling
