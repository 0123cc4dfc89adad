"""The load of a generated scenario: arrivals at rates, at set times, from a trace, or users; kinds of work, tenants, phases."""

from typing import Any

from engines.dice import per_minute, seconds
from engines.frame import Data, Frame, without_none

ZONES = ("UTC", "Asia/Seoul", "Europe/Berlin", "America/New_York")
STARTS = ("2026-03-28T20:00", "2026-10-25T00:30", "2026-06-01T00:00+09:00")


def distribution(frame: Frame, mean_s: float) -> Data:
    """A distribution of durations with about this mean; often a constant that other times are equal to."""
    dice, mean_s = frame.dice, max(mean_s, 0.01)
    match dice.pick("constant", "constant", "zero", "exponential", "uniform", "narrow", "lognormal", "empirical"):
        case "constant":
            return {"distribution": "constant", "value": dice.time(0.2 * mean_s, 2 * mean_s)}
        case "zero":
            return {"distribution": "constant", "value": dice.pick("0s", "1ms")}
        case "exponential":
            return {"distribution": "exponential", "mean": seconds(mean_s)}
        case "uniform":
            return {"distribution": "uniform", "low": "0s", "high": seconds(2 * mean_s)}
        case "narrow":
            return {"distribution": "uniform", "low": seconds(0.9 * mean_s), "high": seconds(1.1 * mean_s)}
        case "lognormal":
            return {"distribution": "lognormal", "median": seconds(0.7 * mean_s), "p95": seconds(3 * mean_s)}
    values = [dice.time_s(0.1 * mean_s, 2 * mean_s) for _ in range(dice.whole(1, 9))]
    name = f"times-{len(frame.files)}.txt"
    frame.files[name] = "".join(f"{each:.3f}\n" for each in values).encode()
    return {"distribution": "empirical", "file": name, "unit": "s"}


def thinking(frame: Frame, mean_s: float) -> Data:
    """The same, never always (about) 0: users without think time would stop the clock."""
    drawn = distribution(frame, mean_s)
    return (
        drawn if drawn.get("value") not in {"0s", "1ms"} else {"distribution": "exponential", "mean": seconds(mean_s)}
    )


def workload(frame: Frame) -> Data:
    """All of `workload`, and `phases` beside it."""
    dice = frame.dice
    kinds = _kinds(frame)
    tenants = _named(frame, "ABC"[: dice.whole(1, 3)]) if dice.wants(0.5) else []
    frame.kinds = tuple(each["name"] for each in kinds)
    frame.tenants = tuple(each["name"] for each in tenants)
    users = dice.chance(0.12)
    phases = _phases(frame, often=3.0 if users else 0.5)
    load: Data = {"task": {"duration": distribution(frame, _service_s(frame))}}
    if users:
        load["users"] = _users(frame)
        if phases and dice.chance(0.4):
            frame.tenants = frame.tenants or ("A", "B")
            load["users"] = {key: load["users"][key] for key in ("think", "timeout", "session") if key in load["users"]}
            tenants, phases = [{"name": each} for each in frame.tenants], _with_users(frame, phases)
    else:
        load["arrivals"] = _arrivals(frame)
    if "service" in load.get("arrivals", {}).get("trace", {}):
        del load["task"]
        kinds = [{key: each[key] for key in each if key != "task"} for each in kinds]
    if "count" not in load.get("arrivals", {}) and dice.wants(0.2):
        load["tasks"] = dice.whole(1, frame.tasks)
    named = {"kinds": kinds, "tenants": tenants}
    found: Data = {"workload": load | {key: each for key, each in named.items() if each}}
    return {**found, "phases": phases} if phases else found


def _service_s(frame: Frame) -> float:
    """A mean service time at which the workers have little to do, or too much."""
    return frame.dice.between(0.05, 1.6) * frame.workers * frame.gap_s


def _named(frame: Frame, names: str) -> list[Data]:
    """Entries with shares that add up, some of them 0."""
    whole = [frame.dice.pick(0, 1, 1, 2, 5) for _ in names]
    whole[0] += 1
    shares = [round(100 * each / sum(whole), 2) for each in whole]
    shares[0] = round(100 - sum(shares[1:]), 2)
    return [{"name": name, "share": f"{share:g}%"} for name, share in zip(names, shares, strict=True)]


def _kinds(frame: Frame) -> list[Data]:
    if not frame.dice.wants(1.2):
        return []
    entries = _named(frame, "xyz"[: frame.dice.whole(1, 3)])
    for entry in entries:
        if frame.dice.chance(0.5):
            entry["task"] = {"duration": distribution(frame, _service_s(frame))}
    return entries


def _phases(frame: Frame, often: float) -> list[Data]:
    """Phases one after the other, with a gap now and then; in whole milliseconds."""
    dice, found, at, when = frame.dice, list[Data](), 0, Data()
    if not dice.wants(often):
        return []
    for name in ("baseline", "burst", "after")[: dice.whole(1, 3)]:
        lasts_s = dice.time_s(frame.duration_s / 10, frame.duration_s / 3)
        length = min(int(1000 * lasts_s), int(1000 * frame.duration_s) - at)
        if length <= 0:
            break
        found.append({"name": name, **when, "for": seconds(length / 1000)})
        gap = dice.pick(0, 0, int(50 * frame.duration_s))
        at, when = at + length + gap, {"at": seconds((at + length + gap) / 1000)} if gap else {}
    return found


def _users(frame: Frame) -> Data:
    dice, most = frame.dice, frame.dice.whole(1, 8)
    think_s = max(0.5, frame.duration_s * most / frame.tasks)
    users: Data = {"count": dice.pick(most, dice.whole(1, most)), "think": thinking(frame, think_s)}
    if dice.wants():
        users["session"] = {"tasks": dice.whole(1, 4), "pause": thinking(frame, 3 * think_s)}
    if dice.wants():
        users["timeout"] = dice.time(0.1 * think_s, 3 * think_s)
    if dice.wants():
        stages = [{"to": dice.whole(0, most)}, {}, {"count": dice.whole(0, most)}][: dice.whole(1, 3)]
        users["stages"] = [{**each, "for": dice.time(1, frame.duration_s / 3)} for each in stages]
    elif dice.wants():
        users["ramp"] = seconds(frame.duration_s / dice.pick(2, 5))
    return users


def _with_users(frame: Frame, phases: list[Data]) -> list[Data]:
    first = {name: frame.dice.whole(1, 4) for name in frame.tenants}
    rest = [{name: frame.dice.whole(0, 6) for name in frame.tenants} for _ in phases[1:]]
    return [{**phase, "users": users} for phase, users in zip(phases, [first, *rest], strict=True)]


def _arrivals(frame: Frame) -> Data:
    dice = frame.dice
    forms = (
        _plain,
        _plain,
        _plain,
        _constant,
        _constant,
        _burst,
        _stages,
        _profile,
        _bursts,
        _scheduled,
        _batch,
        _count,
    )
    found = _trace(frame) if dice.chance(0.08) else dice.pick(*forms)(frame)
    if "trace" not in found and "scheduled" not in found and dice.wants(0.2):
        found["scheduled"] = _set_times(frame)
    return found


def _rate(frame: Frame, factor: float = 1.0) -> str:
    return per_minute(factor / frame.gap_s)


def _plain(frame: Frame) -> Data:
    return {"rate": _rate(frame)}


def _constant(frame: Frame) -> Data:
    """Evenly spaced, by a time that others are equal to."""
    gap_s = frame.dice.time_s(0.7 * frame.gap_s, 2 * frame.gap_s)
    return {"process": "constant", "rate": per_minute(1 / max(gap_s, 0.001))}


def _process(frame: Frame) -> Data:
    return {"process": frame.dice.pick("poisson", "constant")}


def _burst(frame: Frame) -> Data:
    every_s = round(frame.duration_s / frame.dice.pick(1.5, 4, 6), 3)
    burst = {
        "every": seconds(every_s),
        "for": seconds(round(every_s / frame.dice.pick(2, 4, 20), 3)),
        "rate": _rate(frame, 4),
    }
    return {**_process(frame), "rate": _rate(frame, frame.dice.pick(0, 0.5, 1)), "burst": burst}


def _stages(frame: Frame) -> Data:
    kinds = [{"to": _rate(frame, 2)}, {}, {"rate": _rate(frame, 1)}, {"rate": _rate(frame, 2), "to": _rate(frame, 0)}]
    stages = [
        {**frame.dice.pick(*kinds), "for": frame.dice.time(1, frame.duration_s / 3)}
        for _ in range(frame.dice.whole(1, 4))
    ]
    if frame.dice.chance(0.2):
        stages[0]["at"] = frame.dice.time(0.1, frame.duration_s / 3)
    repeats = (
        {"repeat": True} if frame.dice.chance(0.3) and sum(float(each["for"][:-1]) for each in stages) > 60 else {}
    )
    return {**_process(frame), "rate": _rate(frame, frame.dice.pick(0.5, 1)), "stages": stages, **repeats}


def _profile(frame: Frame) -> Data:
    hours = frame.dice.some(range(24), 5)
    points = [
        {"at": f"{hour:02}:{frame.dice.pick('00', '30')}", "rate": _rate(frame, frame.dice.pick(0, 0.5, 1, 2))}
        for hour in hours
    ]
    points[0]["rate"] = _rate(frame, 1)
    every = frame.dice.pick("day", "day", "week")
    if every == "week":
        points = [{**each, "at": f"{frame.dice.pick('mon', 'mon-fri', 'sat')} {each['at']}"} for each in points[:1]]
    return {
        **_process(frame),
        "profile": {"every": every, "points": points, "between": frame.dice.pick("linear", "step")},
    }


def _bursts(frame: Frame) -> Data:
    how: list[Data] = [{"rate": _rate(frame, 3)}, {"factor": 3}, {"factor": 0}]
    bursts = [
        {"name": name, **frame.window(), **frame.dice.pick(*how)}
        for name in ("noon", "night")[: frame.dice.whole(1, 2)]
    ]
    return {**_process(frame), "rate": _rate(frame, 0.7), "bursts": bursts}


def _set_times(frame: Frame) -> list[Data]:
    dice, found = frame.dice, list[Data]()
    for name in ("one", "two")[: dice.whole(1, 2)]:
        when: Data = (
            {"cron": dice.pick("*/30 * * * *", "15 * * * *")} if dice.chance(0.2) and frame.duration_s > 4000 else {}
        )
        when = when or frame.window(lasts=False)
        kind = dice.pick(*frame.kinds) if frame.kinds and dice.chance(0.5) else None
        count = dice.whole(1, 3) if "cron" in when else dice.whole(1, max(2, frame.tasks // 10))
        found.append(without_none({"name": name, "count": count, **when, "kind": kind}))
    return found


def _scheduled(frame: Frame) -> Data:
    return {"scheduled": _set_times(frame), **({"rate": _rate(frame, 0.5)} if frame.dice.chance(0.5) else {})}


def _batch(frame: Frame) -> Data:
    batch: Any = frame.dice.pick({"size": frame.dice.whole(1, 10)}, {"low": 1, "high": 6}, {"mean": 2.5})
    return {**_process(frame), "rate": _rate(frame), "batch": batch}


def _count(frame: Frame) -> Data:
    return {"rate": _rate(frame), "count": frame.tasks, **_process(frame)}


def _trace(frame: Frame) -> Data:
    """A file of arrivals, some of them at the same time."""
    dice, t_s, last_s, lines = frame.dice, 0.0, 0.0, ["at,kind,tenant,took"]
    for _ in range(min(frame.tasks, 120)):
        kind, tenant = (dice.pick(*names) if names else "" for names in (frame.kinds, frame.tenants))
        lines.append(f"{t_s:.3f},{kind},{tenant},{dice.time_s(0.1, 2 * max(0.1, frame.gap_s)):.3f}")
        last_s, t_s = t_s, t_s + dice.pick(0.0, dice.time_s(0.001, 3 * frame.gap_s))
    frame.files["trace.csv"] = "\n".join([*lines, ""]).encode()
    named = {
        name: name for name, known in (("kind", frame.kinds), ("tenant", frame.tenants)) if known and dice.chance(0.6)
    }
    more = {"service": "took", "service_unit": "s"} if dice.chance(0.5) else {}
    speed = {"speed": dice.pick(0.5, 2)} if dice.wants() else {}
    scale = {"scale": dice.pick(0.5, 1.5)} if dice.wants() else {}
    more |= {"format": "csv", "on_error": dice.pick("fail", "skip")} if dice.wants() else {}
    repeat = {"repeat": True} if dice.chance(0.3) and last_s > frame.duration_s / 4 else {}
    return {"trace": {"file": "trace.csv", "time": "at", "unit": "s", **named, **more, **speed, **scale, **repeat}}


def clock(frame: Frame) -> Data:
    """Where and when it runs."""
    if not frame.dice.wants(0.4):
        return {}
    return {
        "timezone": frame.dice.pick(*ZONES),
        **({"start": frame.dice.pick(*STARTS)} if frame.dice.chance(0.7) else {}),
    }
