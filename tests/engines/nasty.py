"""Coincidences that are put into some scenarios on purpose: times that are equal, and everything at once."""

from collections.abc import Callable

from engines.dice import per_minute, seconds
from engines.frame import Data, Frame


def coincide(frame: Frame, data: Data) -> None:
    """Put one to three coincidences into a scenario, which stays valid; into some of them."""
    if frame.dice.chance(0.25):
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
    """Faults begin when a dispatcher looks, samples are taken and work arrives."""
    poll_s = float(data["queue"].get("poll_interval", "1s")[:-1]) or 1.0
    for fault in data.get("faults", ()):
        if "at" in fault and "times" not in fault:
            fault["at"] = seconds(float(fault["at"][:-1]) // poll_s * poll_s)


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


def _waits_not(frame: Frame, data: Data) -> None:
    """Failed attempts are made again at once."""
    data["queue"]["retry"] = {"max_attempts": 3, "backoff": ["0s"]}
    data["queue"].pop("max_deliveries", None)


def _all_fail(frame: Frame, data: Data) -> None:
    """Every attempt fails."""
    data["faults"] = [*data.get("faults", []), {"name": "all", "type": "transient_error", "rate": "100%"}]


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
    _watchdog_is_lease,
    _hangs_for_lease,
    _faults_at_polls,
    _arrives_at_ends,
    _waits_not,
    _all_fail,
    _loses,
    _all_at_once,
    _warm_at_checkpoint,
    _no_drain,
    _polls_always,
)
