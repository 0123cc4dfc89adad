"""The master of several workers, and a worker: connected by Locust. Imported by such processes only."""

import errno
import math
import socket
import time
from contextlib import closing
from typing import Any

import gevent
from locust import runners
from locust.env import Environment
from locust.exception import RPCError

from soak.runner.load.frames import Message
from soak.runner.load.roles import Role, Working, here
from soak.runner.load.software import software
from soak.schemas.errors import SoakError, UsageError, failure_words

_TYPE = "soak"
_LOOK_S = 0.5
_LAST_WORDS_S = 0.3
_CLOCK_READINGS, _CLOCK_PAUSE_S, _CLOCK_AGAIN_S = 8, 0.02, 30.0

# A worker hears nothing from its master for so long: it is gone. Locust's own defaults are for people who watch.
runners.MASTER_HEARTBEAT_TIMEOUT = 5
runners.CONNECT_TIMEOUT = 1
runners.WORKER_LOG_REPORT_INTERVAL = -1


class Master(Role):
    """Passes on what the runner says to workers, and what they say to the runner."""

    def __init__(self, fd: int, host: str, port: str, workers: str) -> None:
        super().__init__(fd)
        self._address, self._wanted = (host, int(port)), int(workers)
        self._nodes: list[str] = []
        """By its number, how Locust calls a worker."""
        self._lost: set[int] = set()

    def begin(self) -> None:
        """Listen for workers. Raises UsageError where the port is taken."""
        self._runner = _master(self.environment, *self._address)
        self._runner.register_message(_TYPE, self._from_worker)
        self.line.say({"is": "listening", "port": self._runner.server.port})
        gevent.spawn(self._watch)

    def hear(self, message: Message) -> None:
        """From the runner: for one worker, or for all."""
        nodes = [self._nodes[message["worker"]]] if "worker" in message else self._there()
        for node in nodes:
            self._runner.send_message(_TYPE, message, node)
        if message["is"] == "stop":
            gevent.spawn_later(_LAST_WORDS_S, self.line.end)

    def _there(self) -> list[str]:
        return [node for number, node in enumerate(self._nodes) if number not in self._lost]

    def _from_worker(self, environment: Environment, msg: Any, **_: Any) -> None:
        node, message = msg.node_id, msg.data
        if message["is"] == "hello":
            self._welcome(node, message)
        elif message["is"] == "clock":
            answer = {**message, "at": time.monotonic(), "machine": here()["machine"]}
            self._runner.send_message(_TYPE, answer, node)
        elif node in self._nodes and (number := self._nodes.index(node)) not in self._lost:
            self.line.say({**message, "worker": number})

    def _welcome(self, node: str, message: Message) -> None:
        why = ""
        if message["software"] != software():
            why = f"its software differs: {message['software']} there, {software()} here (install the same everywhere)"
        elif len(self._nodes) >= self._wanted:
            why = f"all {self._wanted} workers are there already"
        if why:
            self._runner.send_message(_TYPE, {"is": "refused", "why": why}, node)
            return
        self._nodes.append(node)
        self.line.say({"is": "joined", "worker": len(self._nodes) - 1, "name": message["name"]})

    def _watch(self) -> None:
        """Notice workers that send no heartbeats any more; one that comes back later is not let in again."""
        while True:
            gevent.sleep(_LOOK_S)
            for number, node in enumerate(self._nodes):
                client = self._runner.clients.get(node)
                gone = client is None or client.state == runners.STATE_MISSING
                if gone and number not in self._lost:
                    self._lost.add(number)
                    self._runner.send_message(_TYPE, {"is": "refused", "why": "it was taken for lost"}, node)
                    self.line.say({"is": "lost", "worker": number})


def _master(environment: Environment, host: str, port: int) -> Any:
    """Raises UsageError where it cannot listen there."""
    try:
        # Locust would say no more than that it failed.
        with closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        return environment.create_master_runner(host, port)
    except (OSError, RPCError, SystemExit) as error:
        in_use = isinstance(error, SystemExit) or getattr(error, "errno", 0) == errno.EADDRINUSE
        why = "is in use" if in_use else f"cannot be listened at: {failure_words(error)}"
        raise UsageError(f"--locust-master: port {port} of {host} {why} (choose another)") from None


class Worker(Role):
    """Sends requests as its master says. patience_s: how long it tries to reach that."""

    def __init__(self, fd: int, host: str, port: str, name: str, patience_s: str) -> None:
        super().__init__(fd)
        runners.CONNECT_RETRY_COUNT = math.ceil(float(patience_s) / runners.CONNECT_TIMEOUT)
        self._address, self._name = (host, int(port)), name
        self._apart_s = 0.0
        """How far the master's clock is ahead of this machine's."""
        self._quickest_s = float("inf")
        self._epoch_s = math.inf

    def begin(self) -> None:
        """Report to the master. Raises UsageError where it cannot be reached."""
        host, port = self._address
        try:
            self._runner = self.environment.create_worker_runner(host, port)
        except ConnectionError:
            what = f"no master answers at {host}:{port}"
            remedy = "start it with `soak run --locust-master HOST:PORT --expect-workers N`"
            raise UsageError(f"{what} ({remedy})") from None
        self._working = Working(self.environment, self._tell, self.line)
        self._runner.register_message(_TYPE, self._from_master)
        self._tell({"is": "hello", "name": self._name, "software": software(), **here()})
        self.line.say({"is": "connected"})
        gevent.spawn(self._ask_for_time)
        gevent.spawn(self._end_with_master)

    def _tell(self, message: Message) -> None:
        self._runner.send_message(_TYPE, message)

    def _from_master(self, environment: Environment, msg: Any, **_: Any) -> None:
        try:
            self._carry_out(msg.data)
        except Exception as error:
            # Told to the runner by way of the master, and to the process that started this one.
            words = str(error) if isinstance(error, SoakError) else repr(error)
            usage = isinstance(error, UsageError)
            self._tell({"is": "failed", "words": f"load worker {self._name}: {words}", "usage": usage})
            gevent.sleep(_LAST_WORDS_S)
            self.line.fail(error)

    def _carry_out(self, message: Message) -> None:
        kind = message["is"]
        if kind == "refused":
            raise UsageError(f"the master has no use for this worker: {message['why']}")
        if kind == "clock":
            self._read_time(message)
        elif kind == "start":
            self._epoch_s = message["epoch"]
            self._working.hear({**message, "epoch": self._epoch_s - self._apart_s})
        else:
            self._working.hear(message)
        if kind == "start":
            self.line.say({"is": "begun"})
        if kind == "stop":
            self.line.say({"is": "over", "requests": self._working.requests})
            gevent.spawn_later(_LAST_WORDS_S, self.line.end)

    def _end_with_master(self) -> None:
        self._runner.greenlet.join()
        self.line.fail(SoakError("the master is gone, or this worker was cut off from it"))

    # The clocks of two machines: the offset is that of the quickest of several answers, exact to half of its time.

    def _ask_for_time(self) -> None:
        """Again and again: clocks drift apart by some microseconds each second."""
        while True:
            self._quickest_s = float("inf")
            for _ in range(_CLOCK_READINGS):
                self._tell({"is": "clock", "asked": time.monotonic()})
                gevent.sleep(_CLOCK_PAUSE_S)
            gevent.sleep(_CLOCK_AGAIN_S)

    def _read_time(self, message: Message) -> None:
        now_s = time.monotonic()
        took_s = now_s - message["asked"]
        if message["machine"] == here()["machine"]:
            self._apart_s = 0.0
        elif took_s < self._quickest_s:
            self._quickest_s, self._apart_s = took_s, message["at"] - (now_s - took_s / 2)
            self._working.set_epoch(self._epoch_s - self._apart_s)
