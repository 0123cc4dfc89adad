"""One process's part of the load: sends what is due, and tells what happened.

Imported by processes that make load only.
"""

import math
import time
from collections.abc import Callable
from http.cookiejar import CookieJar
from typing import Protocol, TypeAlias

import gevent
from gevent.lock import BoundedSemaphore
from locust.event import EventHook

from soak.runner.http import Inputs, Outcome, Session
from soak.runner.load.client import Client
from soak.runner.load.deadlines import Deadlines
from soak.runner.load.frames import Message
from soak.runner.load.labels import Labels
from soak.runner.load.order import Order, Part
from soak.runner.load.rows import Rows, What
from soak.schemas.stream.events import KEY_SHIFT
from soak.simulation.plan import Plan

_STALL_LOOK_REAL_S = 0.05
DETAILS_KEPT = 5

Detail: TypeAlias = tuple[float, int, str, int, str]
"""When a request was no success, the number of its task, the error, the status, and the reason in words."""


class Source(Protocol):
    """Makes requests when they are due."""

    def start(self) -> None:
        """Begin."""

    def take_over(self, message: Message) -> None:
        """Do a part of what a lost process did."""

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""


class Sender:
    """Everything of one process. `tell`: sends a message to the runner. `fail`: ends the process, saying why."""

    def __init__(
        self,
        order: Order,
        part: Part,
        request_event: EventHook,
        tell: Callable[[Message], None],
        fail: Callable[[BaseException], None],
    ) -> None:
        self.order, self.part = order, part
        self._event, self._tell, self._fail = request_event, tell, fail
        work = order.read()
        self.scenario, self.http = work.scenario, work.http
        self.plan = Plan(self.scenario, order.seed)
        self.plan.refuse_without_rows()
        self._labels = Labels(self.plan)
        self._deadlines = Deadlines(work.http.timeout_s / order.speed)
        self._session = Session(
            work.http,
            work.exchanges,
            seed=order.seed,
            url=order.url,
            inputs=Inputs.of_data(order.inputs),
            tenants=[tenant.name for tenant in self.scenario.workload.tenants],
            speed=order.speed,
            lock=BoundedSemaphore,
        )
        self._epoch_s = math.inf
        self.rows = Rows(self.now)
        self._lag_s, self._cpu_s = 0.0, (0.0, 0.0)
        self._details: dict[str, list[Detail]] = {}
        self.in_flight = 0
        self._source = self._make_source()

    def _make_source(self) -> Source:
        from soak.runner.load.arrivals import ArrivalSource
        from soak.runner.load.user_turns import UserSource

        return UserSource(self) if self.plan.users else ArrivalSource(self)

    # Time.

    def now(self) -> float:
        """Scenario time in seconds, negative before the start."""
        return (time.monotonic() - self._epoch_s) * self.order.speed

    def wait_until(self, t_s: float) -> None:
        """Sleep until a scenario time."""
        while (left_s := t_s - self.now()) > 0:
            gevent.sleep(left_s / self.order.speed)

    # Work.

    def client(self, jar: CookieJar | None = None) -> Client:
        """A client, for one request at a time; without a `jar` it keeps no cookies."""
        return Client(self.http, self.order.speed, self._deadlines, self._event, self._fail, jar)

    def perform(self, number: int, due_s: float, client: Client, user: int = -1) -> float:
        """Carry out a task that is due; returns when it was over, in scenario time."""
        began_s = self.rows.begun(number, due_s)
        self._lag_s = max(self._lag_s, began_s - due_s)
        self.in_flight += 1
        label = self._labels.of(number)
        try:
            outcome = self._session.perform(label.kind, number >> KEY_SHIFT, label.tenant, user, client.send)
        except Exception as error:
            self._fail(error)
            raise
        finally:
            self.in_flight -= 1
        ended_s = self.rows.ended(number, self.now(), outcome.status, outcome.size, outcome.error)
        if outcome.error:
            self._note(ended_s, number, outcome, label.tenant, user)
        return ended_s

    def _note(self, t_s: float, number: int, outcome: Outcome, tenant: str, user: int) -> None:
        """Keep why a request was not a success, of the first ones of each error since the last flush."""
        same = self._details.setdefault(outcome.error, [])
        if len(same) < DETAILS_KEPT:
            told = self._session.hidden(outcome.detail, tenant, user)
            same.append((t_s, number, str(outcome.error), outcome.status, told))

    # Control.

    def start(self, epoch_s: float) -> None:
        """Scenario time 0 is at `epoch_s` of the monotonic clock."""
        self._epoch_s = epoch_s
        gevent.spawn(self._flush_always)
        gevent.spawn(self._sample_always)
        gevent.spawn(self._watch_stalls)
        gevent.spawn(self._begin)

    def _begin(self) -> None:
        self.wait_until(0.0)
        self._source.start()

    def set_epoch(self, epoch_s: float) -> None:
        """Scenario time 0 was at `epoch_s`, as is known better now."""
        self._epoch_s = epoch_s

    def end_arrivals(self, at_s: float) -> None:
        """Nothing that is due from then on is sent."""
        self.plan.end_arrivals(at_s)

    def take_over(self, message: Message) -> None:
        """Do a part of what a lost process did."""
        self._source.take_over(message)

    def flush(self) -> None:
        """Tell what happened since the last time."""
        until_s, packed = self.rows.take()
        details = [each for same in self._details.values() for each in same]
        self._details.clear()
        self._tell({"is": "rows", "until": max(until_s, 0.0), "rows": packed, "details": details})

    # Greenlets.

    def _flush_always(self) -> None:
        self.wait_until(0.0)
        while True:
            gevent.sleep(self.order.flush_real_s)
            self.flush()

    def _sample_always(self) -> None:
        interval_s = self.scenario.telemetry.sample_interval_s
        self.wait_until(0.0)
        self._cpu_s = time.process_time(), time.monotonic()
        rounds = 1
        while True:
            self.wait_until(rounds * interval_s)
            self._sample()
            rounds = max(rounds, math.floor(self.now() / interval_s)) + 1

    def _sample(self) -> None:
        used_s, now_s = time.process_time(), time.monotonic()
        before_s, then_s = self._cpu_s
        self._cpu_s = used_s, now_s
        self.rows.sample(What.CPU, (used_s - before_s) / max(now_s - then_s, 1e-9))
        self.rows.sample(What.LAG, self._lag_s)
        self._lag_s = 0.0

    def _watch_stalls(self) -> None:
        """A process that is too busy answers its timers late: then, answers are seen late, too."""
        while True:
            wanted_s = time.monotonic() + _STALL_LOOK_REAL_S
            gevent.sleep(_STALL_LOOK_REAL_S)
            self._lag_s = max(self._lag_s, (time.monotonic() - wanted_s) * self.order.speed)
