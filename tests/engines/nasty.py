"""Coincidences that are put into some scenarios on purpose: times that are equal, and everything at once."""

from collections.abc import Callable

from engines.dice import per_minute, seconds
from engines.frame import Data, Frame


def coincide(frame: Frame, data: Data) -> None:
    """Put one to three coincidences into a scenario, which stays valid; into some of them."""
    if frame.dice.chance(0.3):
        for change in frame.dice.some(NASTY, 3):
            change(frame, data)


def _constant(data: Data, value: str) -> None:
    if "task" in data["workload"]:
        data["workload"]["task"] = {"duration": {"distribution": "constant", "value": value}}


def _service_is_poll(frame: Frame, data: Data) -> None:
    """An attempt ends when a dispatcher looks."""
    _constant(data, data["queue"].get("poll_interval", "1s"))


def _service_is_lease(frame: Frame, data: Data) -> None:
    """An attempt ends when its lease expires."""
    lease = data["queue"].setdefault("lease", {"duration": "30s", "heartbeat": "none"})
    lease["heartbeat"] = "none"
    data["queue"].pop("ack", None)
    _constant(data, lease["duration"])


def _expires_at_end(frame: Frame, data: Data) -> None:
    """The watchdog would find a lease expired at the moment at which the attempt ends."""
    data["queue"] |= {
        "poll_interval": "2s",
        "watchdog_interval": "5s",
        "lease": {"duration": "7s", "heartbeat": "none"},
    }
    data["queue"].pop("ack", None)
    _constant(data, "10s")


def _locked_beyond_lease(frame: Frame, data: Data) -> None:
    """A result waits for a busy database for longer than the lease lasts."""
    data["queue"] |= {
        "busy_timeout": "8s",
        "watchdog_interval": "1s",
        "lease": {"duration": "10s", "heartbeat": "none"},
    }
    data["queue"].pop("ack", None)
    _constant(data, "5s")
    data["faults"] = [*data.get("faults", []), {"name": "locked", "type": "db_lock", "rate": "40%"}]


def _hangs_in_outages(frame: Frame, data: Data) -> None:
    """Workers hang and the database is out at the same time: leases expire by one or by both."""
    hang, every = 0.06 * frame.duration_s, 0.1 * frame.duration_s
    more: list[Data] = [
        {"name": "stands", "type": "worker_hang", "rate": "40%", "hang_for": seconds(hang)},
        {"name": "out", "type": "db_outage", "every": seconds(every), "for": seconds(0.4 * every)},
    ]
    data["queue"] |= {
        "lease": {"duration": seconds(hang / 2), "heartbeat": seconds(hang / 6)},
        "watchdog_interval": "1s",
    }
    data["queue"].pop("ack", None)
    data["faults"] = [*data.get("faults", []), *more]


def _again_when_over(frame: Frame, data: Data) -> None:
    """Tasks are submitted a second time when the first has come to its end, whatever that was."""
    late = {"distribution": "uniform", "low": "0s", "high": seconds(frame.duration_s / 2)}
    more: list[Data] = [
        {"name": "again", "type": "duplicate_enqueue", "rate": "40%", "delay": late},
        {"name": "fails", "type": "permanent_error", "rate": "30%"},
        {"name": "blocked", "type": "guardrail_exceed", "rate": "20%"},
    ]
    data["faults"] = [*data.get("faults", []), *more]


def _watchdog_is_lease(frame: Frame, data: Data) -> None:
    """A lease expires when the watchdog looks."""
    if lease := data["queue"].get("lease"):
        data["queue"]["watchdog_interval"] = lease["duration"]


def _hangs_for_lease(frame: Frame, data: Data) -> None:
    """A worker goes on when its lease expires."""
    for fault in data.get("faults", ()):
        if "hang_for" in fault:
            fault["hang_for"] = data["queue"].get("lease", {}).get("duration", "2m")


def _faults_at_polls(frame: Frame, data: Data) -> None:
    """Faults begin and end when a dispatcher looks, samples are taken and work arrives."""
    poll_s = float(data["queue"].get("poll_interval", "1s")[:-1]) or 1.0
    for fault in data.get("faults", ()):
        if "at" in fault and "times" not in fault:
            fault["at"] = seconds(float(fault["at"][:-1]) // poll_s * poll_s)
            if whole := float(fault.get("for", "0s")[:-1]) // poll_s * poll_s:
                fault["for"] = seconds(whole)


def _windows_end_at_polls(frame: Frame, data: Data) -> None:
    """Attempts begin at the moment at which a fault no longer strikes."""
    data["queue"]["poll_interval"] = "10s"
    lasts_s = 10 * max(1.0, frame.duration_s // 100)
    window = {"every": seconds(2 * lasts_s), "for": seconds(lasts_s)} if 2 * lasts_s < frame.duration_s else {}
    fault: Data = {"name": "in-step", "type": "transient_error", "rate": "60%", **window}
    data["faults"] = [*data.get("faults", []), fault]


def _arrives_at_ends(frame: Frame, data: Data) -> None:
    """Work arrives when work ends."""
    data["workload"].pop("users", None)
    phases = [{key: each[key] for key in each if key != "users"} for each in data.get("phases", ())]
    data |= {"phases": phases} if phases else {}
    tenants = data["workload"].get("tenants", [])
    if any("share" not in each for each in tenants):
        data["workload"]["tenants"] = [{**each, "share": f"{100 / len(tenants):.9f}%"} for each in tenants]
    gap_s = max(0.5, round(frame.gap_s, 1))
    data["workload"]["task"] = {"duration": {"distribution": "constant", "value": seconds(gap_s)}}
    data["workload"]["arrivals"] = {"process": "constant", "rate": per_minute(1 / gap_s)}
    if frame.dice.chance(0.5):
        out: Data = {"name": "brief", "type": "db_outage", "at": seconds(gap_s), "for": seconds(0.5 * gap_s)}
        data["faults"] = [*data.get("faults", []), out]


def _waits_not(frame: Frame, data: Data) -> None:
    """Failed attempts are made again at once."""
    data["queue"]["retry"] = {"max_attempts": 3, "backoff": ["0s"]}
    data["queue"].pop("max_deliveries", None)


def _fails_for_ever(frame: Frame, data: Data) -> None:
    """A few tasks fail as often as they may."""
    data["queue"]["retry"] = {"max_attempts": 100, "backoff": {"initial": "10ms", "factor": 1.05}}
    data["workload"]["tasks"] = 4
    data["workload"].get("arrivals", {}).pop("count", None)
    _all_fail(frame, data)


def _all_fail(frame: Frame, data: Data) -> None:
    """Every attempt fails."""
    faults = data.get("faults", [])
    if not any(each["name"] == "all" for each in faults):
        data["faults"] = [*faults, {"name": "all", "type": "transient_error", "rate": "100%"}]


def _loses(frame: Frame, data: Data) -> None:
    """Work that is acknowledged when it is handed out is lost with its worker."""
    data["queue"].pop("lease", None)
    data["queue"]["ack"] = "early"
    data["faults"] = [*data.get("faults", []), {"name": "dies", "type": "worker_crash", "rate": "20%"}]


def _all_at_once(frame: Frame, data: Data) -> None:
    """Much work arrives at the same instant."""
    arrivals = data["workload"].get("arrivals")
    if arrivals and "trace" not in arrivals and "scheduled" not in arrivals:
        arrivals["scheduled"] = [{"name": "all", "count": 30, "at": seconds(round(frame.duration_s / 3))}]


def _warm_at_checkpoint(frame: Frame, data: Data) -> None:
    """Observations begin to count at a checkpoint."""
    data["warmup"] = seconds(round(frame.duration_s / 4, 3))
    data["checkpoints"] = {"every": data["warmup"]}


def _no_drain(frame: Frame, data: Data) -> None:
    """The run is over when arrivals are."""
    data["drain"] = "0s"


def _polls_always(frame: Frame, data: Data) -> None:
    """Work is dispatched the moment it is due."""
    data["queue"]["poll_interval"] = "0s"


NASTY: tuple[Callable[[Frame, Data], None], ...] = (
    _service_is_poll,
    _service_is_lease,
    _expires_at_end,
    _locked_beyond_lease,
    _hangs_in_outages,
    _again_when_over,
    _watchdog_is_lease,
    _hangs_for_lease,
    _faults_at_polls,
    _windows_end_at_polls,
    _arrives_at_ends,
    _waits_not,
    _all_fail,
    _fails_for_ever,
    _loses,
    _all_at_once,
    _warm_at_checkpoint,
    _no_drain,
    _polls_always,
)
