"""What remote workers are sent and send back: bytes, so that a scheduler need not have `soak`.

Also the software that it is made with: two machines where that is the same make the same of one job.
"""

import hashlib
import pickle
import platform
import zlib
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from soak.runner.replications.replication import Job, Replication, replicate
from soak.schemas.language.model import Scenario

_ROOT = Path(__file__).parents[2]
_SOURCES = (
    "schemas",
    "simulation",
    "runner/judge",
    "runner/replications",
    "runner/engine.py",
    "runner/targets/simulation.py",
)


class Order(msgspec.Struct, frozen=True, array_like=True):
    """A job, the software to make it with, and the packed scenario. Without a seed it only asks for the software."""

    software: str
    index: int
    seed: int | None
    scenario: bytes


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
    return msgspec.msgpack.encode(Order(software(), job.index, job.seed, packed))


def question() -> bytes:
    """What asks a worker for its software."""
    return msgspec.msgpack.encode(Order(software(), 0, None, b""))


def carry_out(content: bytes) -> bytes:
    """Do the job. Called by a worker."""
    received = msgspec.msgpack.decode(content, type=Order)
    if received.seed is None or received.software != software():
        return msgspec.msgpack.encode(Reply(software(), None))
    replication = replicate(Job(received.index, received.seed, _unpack(received.scenario)))
    return msgspec.msgpack.encode(Reply(software(), replication))


def read_reply(content: bytes) -> Reply:
    """What a worker sent back."""
    return msgspec.msgpack.decode(content, type=Reply)


@cache
def software() -> str:
    """Version and a digest of the sources that replications depend on, and what computes and draws for them."""
    return f"soak {_version('soak-runner')} (sources {_digest()}), numpy {_version('numpy')}, Python {platform.python_version()}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _digest() -> str:
    paths = [_ROOT / each for each in _SOURCES]
    files = [file for path in paths for file in (sorted(path.rglob("*.py")) if path.is_dir() else [path])]
    sums = hashlib.sha256()
    for file in files:
        sums.update(f"{file.relative_to(_ROOT).as_posix()}\0".encode() + file.read_bytes() + b"\0")
    return sums.hexdigest()[:12]
