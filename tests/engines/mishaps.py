"""The faults of a generated scenario: every type of a queue, by rate, by time, and by rate in windows."""

from collections.abc import Callable

from engines.dice import seconds
from engines.frame import Data, Frame
from engines.load import distribution

BY_RATE = (
    "transient_error", "permanent_error", "db_lock", "duplicate_enqueue", "guardrail_exceed", "worker_crash", "worker_hang",
    "slow_task",
)  # fmt: skip
BY_TIME = ("db_outage", "disk_full", "dispatcher_crash", "watchdog_crash", "telemetry_loss")
OF_SERVICES = (
    "service_kill", "service_restart", "service_hang", "database_failover", "connections_kill", "network_cut", "network_delay",
    "clock_jump",
)  # fmt: skip
OF_WORKERS = (
    "worker_crash", "worker_hang", "slow_worker", "worker_restart", "rolling_restart", "worker_kill", "worker_term",
)  # fmt: skip


def faults(frame: Frame, settings: Data) -> list[Data]:
    """Some faults, several of which may have the same type."""
    dice, makers = frame.dice, list[Callable[[], Data]]()
    if dice.chance(0.15):
        return []
    for type_ in BY_RATE:
        makers += [lambda type_=type_: _by_rate(frame, type_)] * dice.whole(0, 2) if dice.wants() else []
    for type_ in BY_TIME:
        makers += [lambda type_=type_: {"type": type_, **_window(frame)}] * dice.whole(1, 2) if dice.wants(0.4) else []
    for type_ in OF_SERVICES:
        makers += [lambda type_=type_: _of_service(frame, type_)] if dice.wants(0.25) else []
    if "queues" not in settings and dice.wants(0.7):
        makers += [lambda type_=type_: _of_workers(frame, settings, type_) for type_ in dice.some(OF_WORKERS, 4)]
    made = [make() for make in (dice.some(makers, len(makers)) if makers else [])]
    return [{"name": f"{each['type']}-{number}", **each} for number, each in enumerate(made)]


def _window(frame: Frame) -> Data:
    """Of a fault that lasts: usually for a small part of the run."""
    return frame.window(frame.dice.pick(0.01, 0.05, 0.2))


def _rate(frame: Frame) -> str:
    return "100%" if frame.dice.chance(0.05) else frame.dice.share(0.0, frame.dice.pick(0.1, 0.5))


def _by_rate(frame: Frame, type_: str) -> Data:
    dice, fault = frame.dice, Data(type=type_, rate=_rate(frame))
    if dice.wants(0.5):
        fault |= _window(frame)
    if frame.kinds and dice.wants(0.5):
        fault["kind"] = dice.pick(frame.kinds[0], dice.some(frame.kinds, 3))
    match type_:
        case "transient_error" | "permanent_error" if dice.wants(0.5):
            fault["errors"] = ["network", "timeout", "quota"][: dice.whole(1, 3)]
        case "duplicate_enqueue" if dice.chance(0.7):
            fault["delay"] = distribution(frame, frame.gap_s)
        case "worker_hang":
            fault["hang_for"] = dice.time(0.1, frame.duration_s / 8)
        case "slow_task":
            fault["factor"] = dice.pick(1, 2, 10, 1.5)
    return fault


def _of_service(frame: Frame, type_: str) -> Data:
    """Faults of a service, or of the way to it; those that need not last are sometimes over at once."""
    dice, window = frame.dice, _window(frame)
    fault: Data = {"type": type_}
    match type_:
        case "service_kill" | "service_restart" | "service_hang" | "connections_kill":
            fault["service"] = dice.pick("broker", "database")
        case "network_cut":
            fault |= {"proxy": "broker", **({"how": dice.pick("drop", "refuse")} if dice.chance(0.5) else {})}
        case "network_delay":
            fault |= {"proxy": "broker", "by": dice.time(0.001, 3)}
        case "clock_jump":
            fault["by"] = dice.time(1, 600)
    lasting = type_ in {"service_hang", "network_cut", "network_delay"}
    endless = type_ in {"connections_kill", "clock_jump"}
    if endless or (not lasting and dice.chance(0.4)):
        window.pop("for")
    return {**fault, **window, **(_times(frame, window) if type_ != "clock_jump" else {})}


def _times(frame: Frame, window: Data) -> Data:
    """How often it takes place, where that is few times enough."""
    if "every" not in window or not frame.dice.chance(0.5):
        return {}
    every_s = float(window["every"][:-1])
    at_s = float(window["at"][:-1]) if "at" in window else every_s
    most = 1 + int((0.99 * frame.duration_s - at_s) / every_s) if at_s < 0.99 * frame.duration_s else 1
    return {"times": frame.dice.whole(1, max(1, min(3, most)))}


def _of_workers(frame: Frame, settings: Data, type_: str) -> Data:
    """Faults that strike workers at times: no more of them than there are then, and over before the run is."""
    dice, fault = frame.dice, Data(type=type_)
    window = _window(frame)
    at_s = float(window["at"][:-1]) if "at" in window else float(window["every"][:-1])
    if type_ in {"slow_worker", "worker_hang"}:
        fault |= {"factor": dice.pick(1, 2, 4)} if type_ == "slow_worker" else {}
    else:
        window.pop("for", None)
        window = _brief(frame, settings, window, type_, fault)
    if type_ != "rolling_restart" and dice.chance(0.6):
        there = _there(settings, frame.workers, at_s)
        fault["workers"] = dice.pick("all", dice.whole(1, there)) if type_ != "slow_worker" else dice.whole(1, there)
    counted = type_ in {"worker_hang", "worker_kill", "worker_term"}
    return {**fault, **window, **(_times(frame, window) if counted else {})}


def _brief(frame: Frame, settings: Data, window: Data, type_: str, fault: Data) -> Data:
    """When a fault takes place that is over once workers are back; how long that takes is put into `fault`."""
    dice = frame.dice
    back_s = float(settings.get("worker_restart", "5s")[:-1])
    if type_ in {"worker_crash", "worker_kill", "worker_term"} and dice.chance(0.7):
        back_s = 0.0 if dice.chance(0.1) else dice.time_s(0.1, frame.duration_s / 12)
        fault["restart_after"] = seconds(back_s)
    takes_s = back_s
    if type_ == "rolling_restart":
        each_s = 0.0 if dice.chance(0.2) else dice.time_s(0.1, frame.duration_s / 100)
        fault["each"] = seconds(each_s)
        takes_s += 40 * max(back_s, each_s)
    if "every" in window:
        every_s = max(float(window["every"][:-1]), 1.1 * takes_s + 1)
        if every_s < frame.duration_s:
            return {**window, "every": f"{every_s:.3f}s"}
    at_s = min(float(window.get("at", window.get("every"))[:-1]), max(0.0, 0.95 * frame.duration_s - takes_s))
    return {"at": f"{at_s:.3f}s"}


def _there(settings: Data, workers: int, at_s: float) -> int:
    """Workers that are certainly there at a time, as the schedule or the rule says."""
    if "scaling" in settings:
        return int(settings["scaling"]["min"])
    steps = [each["workers"] for each in settings.get("schedule", ()) if float(each["at"][:-1]) <= at_s]
    return int(steps[-1]) if steps else workers
