"""What a worker elsewhere is sent and sends back: bytes, so that whatever passes them on needs nothing of ours."""

import pickle
import zlib
from functools import lru_cache

import msgspec

from soak.runner.replications.replication import Job, Replication, replicate
from soak.runner.replications.software import software
from soak.schemas.language.model import Scenario
from soak.schemas.systems.registry import use


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A job: made with which software, and the scenario of which system, packed. Without a seed it only asks for the software."""

    software: str
    index: int
    seed: int | None
    scenario: bytes
    system: str = ""


class Answer(msgspec.Struct, frozen=True, array_like=True):
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
    """Make what was ordered. Called by a worker."""
    asked = msgspec.msgpack.decode(content, type=Order)
    here = software(asked.system)
    if asked.seed is None or asked.software != here:
        return msgspec.msgpack.encode(Answer(here, None))
    # Before the scenario is unpacked, which names events of the system.
    use(asked.system)
    replication = replicate(Job(asked.index, asked.seed, _unpack(asked.scenario)))
    return msgspec.msgpack.encode(Answer(here, replication))


def read_answer(content: bytes) -> Answer:
    """What a worker sent back."""
    return msgspec.msgpack.decode(content, type=Answer)
