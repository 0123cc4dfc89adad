"""What remote workers are sent and send back: bytes, so that a scheduler need not have `soak`."""

import pickle
import zlib
from functools import lru_cache

import msgspec

from soak.runner.replications.replication import Job, Replication, replicate
from soak.runner.replications.software import software
from soak.schemas.language.model import Scenario
from soak.schemas.language.registry import use


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A job, the software to make it with, and the packed scenario of a system. Without a seed it only asks for the software."""

    software: str
    index: int
    seed: int | None
    scenario: bytes
    system: str = ""


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """The software of the worker, and the replication, if that is the software it is to be made with."""

    software: str
    replication: Replication | None


def pack(scenario: Scenario) -> bytes:
    """A scenario, small enough to go along with each job."""
    return zlib.compress(pickle.dumps(scenario, pickle.HIGHEST_PROTOCOL))


@lru_cache(maxsize=4)
def _unpack(packed: bytes) -> Scenario:
    scenario: Scenario = pickle.loads(zlib.decompress(packed))
    return scenario


def order(job: Job, packed: bytes) -> bytes:
    """A job as it is sent."""
    system = job.scenario.system
    return msgspec.msgpack.encode(Order(software(system), job.index, job.seed, packed, system))


def question() -> bytes:
    """What asks a worker for its software."""
    return msgspec.msgpack.encode(Order(software(), 0, None, b""))


def carry_out(content: bytes) -> bytes:
    """Do the job. Called by a worker."""
    received = msgspec.msgpack.decode(content, type=Order)
    here = software(received.system)
    if received.seed is None or received.software != here:
        return msgspec.msgpack.encode(Reply(here, None))
    # Before the scenario is unpacked, which names events of the system.
    use(received.system)
    replication = replicate(Job(received.index, received.seed, _unpack(received.scenario)))
    return msgspec.msgpack.encode(Reply(here, replication))


def read_reply(content: bytes) -> Reply:
    """What a worker sent back."""
    return msgspec.msgpack.decode(content, type=Reply)
