"""What is sent to other processes can only be a scenario."""

import os
import pickle
import zlib
from pathlib import Path

import msgspec
import pytest
from load_server import order_of, plan_of
from msgspec.structs import replace

from soak.runner.load.order import Order
from soak.schemas.errors import SoakError

TEXT = """
duration: 20s
http: {url: "http://127.0.0.1:1", timeout: 3s, variables: {region: eu}}
start: "2026-03-01T00:00:00+01:00"
workload:
  arrivals: {stages: [{for: 10s, rate: 1/s}, {for: 10s, to: 5/s}]}
  kinds:
    - {name: one, share: 60%, request: {path: /}}
    - {name: two, share: 40%, request: {method: POST, path: /two, json: {a: "{number}"}}, expect: {status: [200, 201]}}
phases: [{name: first, for: 10s}]
"""


def test_a_scenario_comes_back_as_it_was(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TEXT)
    order = order_of(plan, "http://127.0.0.1:2", 3.0)
    sent = msgspec.convert(msgspec.msgpack.decode(msgspec.msgpack.encode(order)), Order)
    work = sent.read()
    assert work.scenario == plan.scenario
    assert list(work.exchanges) == ["one", "two"]
    assert (work.http.timeout_s, sent.speed, sent.url) == (3.0, 3.0, "http://127.0.0.1:2")


class Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("false",)


class Hidden:
    def __reduce__(self) -> tuple[object, ...]:
        return getattr, (str, "format")


def named(module: str, name: str) -> bytes:
    """A pickle of what a module knows by a name."""
    return b"\x80\x04" + b"".join(b"\x8c%c%s" % (len(each), each.encode()) for each in (module, name)) + b"\x93."


BORROWED = [named("soak.runner.load.children", "subprocess.Popen"), named("soak.schemas.files", "Path")]
"""Classes that modules of ours import."""


@pytest.mark.parametrize(
    "packed", [*map(pickle.dumps, [Harm(), Hidden(), "something else", os.getcwd]), *BORROWED], ids=range(6)
)
def test_nothing_else_is_made_of_what_was_sent(packed: bytes, tmp_path: Path) -> None:
    order = order_of(plan_of(tmp_path, TEXT), "http://127.0.0.1:2")
    harmful = msgspec.structs.replace(order, work=zlib.compress(packed))
    with pytest.raises(SoakError):
        harmful.read()
    assert [isinstance(pickle.loads(each), type) for each in BORROWED] == [True, True]
    assert replace(order.read(), exchanges={}).exchanges == {}
