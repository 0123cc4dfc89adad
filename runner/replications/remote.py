"""What remote workers are sent and send back: bytes, so that a scheduler need not have `soak`.

A worker keeps the scenarios that it was sent, by the hash of what was sent: jobs only name theirs, and scenarios of several users
are never mixed up. A worker that does not have one says so, and is sent the job again with it.
"""

import pickle
import threading
import zlib
from collections import OrderedDict
from hashlib import sha256
from typing import Any

import msgspec
from msgspec import Struct

from soak.runner.replications.replication import Job, Replication, replicate
from soak.runner.replications.scenarios import KEPT
from soak.runner.replications.software import software
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import use


class Parcel(Struct, frozen=True):
    """A scenario as it is sent, and the hash that it is named by."""

    name: bytes
    system: str
    content: bytes


class RemoteOrder(msgspec.Struct, frozen=True, array_like=True):
    """A job without its scenario, which is named, and the software to make it with.

    `packed`: the scenario itself, to be kept. Without a job only that is done, and the software asked for.
    """

    software: str
    system: str = ""
    scenario: bytes = b""
    packed: bytes = b""
    job: dict[str, Any] | None = None


class RemoteReply(msgspec.Struct, frozen=True, array_like=True):
    """The software of the worker, and the replication, if that is the software it is to be made with.

    `missing`: the worker does not have the scenario.
    """

    software: str
    replication: Replication | None = None
    missing: bool = False


class _KeptScenarios:
    """The scenarios that this process was sent last, by name; each is unpacked once."""

    def __init__(self, size: int = KEPT) -> None:
        self.unpacked = 0
        self._size = size
        self._scenarios: OrderedDict[bytes, Scenario] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, order: RemoteOrder) -> Scenario | None:
        """The scenario of an order; None when it is not here."""
        with self._lock:
            found = self._scenarios.get(order.scenario)
            if found is None and order.packed:
                # Before it is unpacked, which names events of the system.
                use(order.system)
                found = pickle.loads(zlib.decompress(order.packed))
                self.unpacked += 1
            if found is not None:
                self._scenarios[order.scenario] = found
                self._scenarios.move_to_end(order.scenario)
            while len(self._scenarios) > self._size:
                self._scenarios.popitem(last=False)
            return found


kept = _KeptScenarios()
"""Those of this process."""


def pack(scenario: Scenario) -> Parcel:
    """A scenario, small enough to be sent."""
    content = zlib.compress(pickle.dumps(scenario, pickle.HIGHEST_PROTOCOL))
    return Parcel(sha256(content).digest(), scenario.system, content)


def order(job: Job, parcel: Parcel, *, whole: bool = False) -> bytes:
    """A job as it is sent; `whole`: with its scenario."""
    rest = msgspec.structs.asdict(job)
    del rest["scenario"]
    packed = parcel.content if whole else b""
    return msgspec.msgpack.encode(RemoteOrder(software(parcel.system), parcel.system, parcel.name, packed, rest))


def delivery(parcel: Parcel) -> bytes:
    """A scenario as it is sent, for jobs to come."""
    return msgspec.msgpack.encode(RemoteOrder(software(parcel.system), parcel.system, parcel.name, parcel.content))


def question() -> bytes:
    """What asks a worker for its software."""
    return msgspec.msgpack.encode(RemoteOrder(software()))


def carry_out(content: bytes) -> bytes:
    """Do the job. Called by a worker."""
    received = msgspec.msgpack.decode(content, type=RemoteOrder)
    here = software(received.system)
    return msgspec.msgpack.encode(RemoteReply(here) if received.software != here else _answer(received, here))


def _answer(received: RemoteOrder, here: str) -> RemoteReply:
    if not received.scenario:
        return RemoteReply(here)
    scenario = kept.find(received)
    if scenario is None:
        return RemoteReply(here, missing=True)
    return RemoteReply(here, replicate(Job(scenario=scenario, **received.job)) if received.job else None)


def read_reply(content: bytes) -> RemoteReply:
    """What a worker sent back."""
    return msgspec.msgpack.decode(content, type=RemoteReply)
