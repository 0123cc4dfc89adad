"""The fate of every call: its latency and fault, if any, by task and number of the call."""

from soak.schemas.language.faults import Fault
from soak.schemas.systems.calls.faults import STRIKES_CALLS, CallFault
from soak.schemas.systems.calls.settings import Dependency
from soak.simulation.draws import Draws
from soak.simulation.fates import Fates
from soak.simulation.plan import Plan


class CallFates:
    """The draws of one dependency. A bad release has draws of its own: it may be gone by the time of a call."""

    def __init__(self, plan: Plan, dependency: Dependency) -> None:
        seed, name = plan.seed, dependency.name
        own = [f for f in plan.scenario.faults if f.dependency == name and f.type in STRIKES_CALLS]
        lasting = [fault for fault in own if fault.type != CallFault.BAD_RELEASE]
        releases = [fault for fault in own if fault.type == CallFault.BAD_RELEASE]
        self._plan = plan
        self._faults = {fault.name: fault for fault in own}
        apart = plan.users is not None
        of, kinds = (seed, plan.vocabulary, f"latency:{name}"), plan.kinds
        self._fates = Fates(dependency.latency, lasting, *of, kinds=kinds, scattered=apart)
        self._releases = Fates(dependency.latency, releases, *of, kinds=kinds, scattered=apart)
        self._any_release = bool(releases)
        self._delays = {f.name: Draws(seed, f"delay:{f.name}", f.delay) for f in own if f.type == CallFault.DELAY}
        self._records = Draws(seed, f"record:{name}")

    def of(self, number: int, call: int, now: float, live: frozenset[str]) -> tuple[float, Fault | None, int, float]:
        """Latency in seconds, the fault that decides the call, its cause, and at which share of the latency it strikes.

        `live` names the bad releases that are in use.
        """
        latency_s, cause, within = self._fates.of(number, call, now)
        if not cause and live:
            _, cause, within = self._releases.of(number, call, now)
            if cause and self._plan.vocabulary.causes[cause].fault not in live:
                cause = 0
        fault = self._faults[self._plan.vocabulary.causes[cause].fault] if cause else None
        return latency_s, fault, cause, within

    def delay_s(self, fault: Fault, number: int, call: int) -> float:
        """The delay of the answer, in seconds."""
        return self._delays[fault.name].of(number, call)

    def record(self, number: int, call: int, records: int) -> int:
        """The record that a call changes."""
        return int(self._records.of(number, call) * records)
