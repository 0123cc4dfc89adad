"""Faults at times against a tiny task system: what each does, when it is seen, and what is there again when it is over."""

import dataclasses
import resource
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from servers import until
from tiny import ask
from tiny_system import Made, running, target

from soak.runner.targets.processes.actions import Actions
from soak.runner.targets.processes.ending import kill_tree
from soak.runner.targets.processes.ports import free_ports
from soak.runner.targets.processes.strikes import Strike
from soak.runner.targets.queue.foreign.faults import faults_of, fit_to_be_struck, strike_of
from soak.runner.targets.queue.foreign.proxies import Proxies
from soak.runner.targets.queue.foreign.strikes import Struck
from soak.runner.targets.queue.foreign.strikes_at_services import ServiceEnds
from soak.schemas.target.load import LoadedTarget
from soak.schemas.target.model import Action, FaultActions

FAULTS = """
queue: {workers: 2, worker_restart: 100ms}
faults:
  - {name: kill, type: worker_kill, at: 1s, workers: all}
  - {name: term, type: worker_term, at: 1s}
  - {name: crash, type: worker_crash, at: 1s}
  - {name: rolling, type: rolling_restart, at: 1s, each: 0s}
  - {name: hang, type: worker_hang, at: 1s, for: 1s, workers: 2}
  - {name: slow, type: slow_worker, at: 1s, for: 1s, factor: 3}
  - {name: down, type: service_kill, service: broker, at: 1s, for: 1s}
  - {name: restart, type: service_restart, service: store, at: 1s}
  - {name: frozen, type: service_hang, service: broker, at: 1s, for: 1s}
  - {name: closed, type: connections_kill, service: store, at: 1s}
  - {name: cut, type: network_cut, proxy: broker, at: 1s, for: 1s}
  - {name: late, type: network_delay, proxy: broker, at: 1s, for: 1s, by: 100ms}
  - {name: full, type: disk_full, service: broker, at: 1s, for: 1s}
  - {name: ahead, type: clock_jump, at: 1s, by: 1h}
"""


class Clock:
    """The clock of the programs."""

    jumped: tuple[float, ...] = ()

    def jump(self, by_s: float) -> None:
        self.jumped += (by_s,)


@dataclass
class Tried:
    """A system that runs, and what faults of it work on."""

    made: Made
    struck: Struck
    clock: Clock
    port: int
    proxied: int

    def strike(self, name: str) -> Any:
        """What a fault does in its first window."""
        fault = next(each for each in self.struck.context.plan.scenario.faults if each.name == name)
        return strike_of(fault, fault.windows[0], self.struck)


@contextmanager
def trying(folder: Path, loaded: LoadedTarget, faults: str = FAULTS) -> Iterator[Tried]:
    port = free_ports(["store"])["store"]
    with running(folder, loaded, faults, port=port) as made, closing(Proxies(made.background)) as proxies:
        found = proxies.start({"broker": str(port)}, ["broker"])
        with closing(Actions(made.background)) as actions:
            clock = Clock()
            file = replace(made.prepared.file, faketime=10.0)
            struck = Struck(made.context, file, made.control, actions, proxies.running, clock)
            yield Tried(made, struck, clock, port, int(found["broker"]))


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tried]:
    with trying(tmp_path_factory.mktemp("faults"), target()) as tried:
        yield tried


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    """Nothing is noted yet, and all workers are up."""
    if "tried" in request.fixturenames:
        tried = request.getfixturevalue("tried")
        until(lambda: (tried.made.noted(), all(map(tried.made.control.process, ("w0", "w1"))))[1])


def ends(tried: Tried, strike: Strike, *wanted: tuple[str, ...]) -> None:
    """Strike, and wait until it may end; these were noted then."""
    tried.made.control.listeners.append(strike.saw)
    until(strike.begin)
    found: list[tuple[str, ...]] = []

    def may_end() -> bool:
        found.extend(tried.made.noted())
        return strike.may_end()

    until(may_end)
    strike.end()
    tried.made.control.listeners.remove(strike.saw)
    assert sorted(found) == sorted(wanted)


def away(name: str, cause: str) -> list[tuple[str, ...]]:
    return [("exited", name, cause), ("started", name, "")]


def test_all_workers_are_killed_and_it_ends_when_they_are_back(tried: Tried) -> None:
    strike = tried.strike("kill")
    ends(tried, strike, *away("w0", "kill"), *away("w1", "kill"))
    assert strike.hits == (0, 1)


@pytest.mark.parametrize("name", ["term", "crash"])
def test_the_first_worker_ends(tried: Tried, name: str) -> None:
    strike = tried.strike(name)
    ends(tried, strike, *away("w0", name))
    assert strike.hits == (0,)


def test_workers_are_restarted_one_by_one(tried: Tried) -> None:
    ends(tried, tried.strike("rolling"), *away("w0", "rolling"), *away("w1", "rolling"), ("injected", "rolling"))


def test_workers_hang_until_its_end(tried: Tried) -> None:
    strike = tried.strike("hang")
    assert strike.begin()
    until(strike.shows)
    strike.end()
    until(lambda: not strike.shows())
    assert strike.hits == (0, 1)


def test_what_slow_workers_begin_takes_longer(tried: Tried) -> None:
    strike = tried.strike("slow")
    assert strike.begin()
    assert tried.made.control.slowed == {"w0": [(3.0, strike.cause)]}
    strike.end()
    assert tried.made.control.slowed == {"w0": []}


def test_a_service_of_a_role_is_killed_and_comes_back(tried: Tried) -> None:
    strike = tried.strike("down")
    until(strike.begin)
    assert tried.made.control.services.is_down
    with pytest.raises(OSError, match="refused"):
        ask(tried.port, "ping")
    strike.end()
    until(lambda: not strike.goes_on())
    assert ask(tried.port, "ping") == "pong"
    assert not tried.made.control.services.is_down
    assert tried.made.noted() == away("store", "down")


def test_a_service_is_stopped_and_started_at_once(tried: Tried) -> None:
    strike = tried.strike("restart")
    until(strike.begin)
    strike.end()
    until(lambda: not strike.goes_on())
    assert ask(tried.port, "ping") == "pong"
    assert tried.made.noted() == away("store", "restart")


def test_a_service_that_does_not_come_back_is_tried_again_and_said(
    tried: Tried, capsys: pytest.CaptureFixture[str]
) -> None:
    strike = tried.strike("down")
    until(strike.begin)
    right = strike.program
    strike.program = replace(right, command="sh -c 'echo tried; exit 3'")
    strike.end()
    until(lambda: not strike.goes_on())
    log = tried.made.prepared.directory / "store.log"
    assert log.read_text().count("tried") == 3
    why = "the run goes on, but store could not be started again: store exited with 3: tried (see store.log)"
    assert why in capsys.readouterr().err
    assert tried.made.noted() == [("exited", "store", "down")]
    strike.program = right
    strike.end()
    until(lambda: not strike.goes_on())


def test_a_service_hangs_until_its_end(tried: Tried) -> None:
    strike = tried.strike("frozen")
    assert strike.begin()
    assert strike.shows()
    with pytest.raises(TimeoutError):
        ask(tried.port, "ping", 0.2)
    strike.end()
    assert ask(tried.port, "ping") == "pong"


def test_the_network_is_cut_and_heals(tried: Tried) -> None:
    strike = tried.strike("cut")
    assert strike.begin()
    assert not strike.shows()
    with pytest.raises(OSError, match=r"gone|reset"):
        ask(tried.proxied, "ping")
    assert strike.shows()
    strike.end()
    assert ask(tried.proxied, "ping") == "pong"


def test_the_network_is_slow_until_its_end(tried: Tried) -> None:
    strike = tried.strike("late")
    assert strike.begin()
    with pytest.raises(TimeoutError):
        ask(tried.proxied, "ping", 0.1)
    assert strike.shows()
    strike.end()
    assert ask(tried.proxied, "ping") == "pong"


def test_connections_through_the_proxy_of_a_role_are_closed_once_there_are_any(tried: Tried) -> None:
    strike = tried.strike("closed")
    until(lambda: not strike.proxy.links)
    assert not strike.begin()
    with socket.create_connection(("127.0.0.1", tried.proxied), timeout=10.0) as line:
        until(strike.begin)
        with suppress(ConnectionError):
            assert line.recv(1) == b""
    assert strike.shows()
    assert ask(tried.proxied, "ping") == "pong"


def test_a_disk_is_full_until_its_end(tried: Tried) -> None:
    pid = tried.made.control.service_pids()["store"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    strike = tried.strike("full")
    assert strike.begin()
    assert strike.shows()
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, before[1])
    strike.end()
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == before


def test_a_full_disk_is_no_end_of_a_program_that_does_not_expect_it(
    tried: Tried, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mortal = target()
    service = replace(mortal.file.services[0], command="sleep 60", ready=None)
    mortal = dataclasses.replace(mortal, file=replace(mortal.file, services=(service,)))
    with trying(tmp_path, mortal) as other:
        strike = other.strike("full")
        assert not strike.begin()
        assert not strike.begin()
        said = capsys.readouterr().err
        assert said.count("of store would be ended by a file that may not grow (let it ignore SIGXFSZ, or") == 1
        fit = fit_to_be_struck(mortal, other.struck.context.plan.scenario.faults)
        assert fit.file.services[0].command == "env --ignore-signal=XFSZ sleep 60"


def test_the_clock_jumps_by_its_own_time(tried: Tried) -> None:
    assert tried.strike("ahead").begin()
    assert tried.clock.jumped == (36000.0,)


def test_what_the_target_file_says_comes_first(tried: Tried, tmp_path: Path) -> None:
    begin, end = (Action(command=f"sh -c 'echo {word} {{for}} >> {tmp_path}/told'") for word in ("begin", "end"))
    says = {"service_kill": FaultActions(begin, end)}
    own = dataclasses.replace(tried, struck=replace(tried.struck, file=replace(tried.struck.file, faults=says)))
    strike = own.strike("down")
    until(strike.begin)
    assert strike.shows()
    strike.end()
    told = tmp_path / "told"
    until(lambda: told.exists() and told.read_text() == "begin 1\nend 1\n")
    assert tried.made.noted() == away("broker", "down")


def test_an_outage_of_the_target_file_is_of_its_service(tried: Tried) -> None:
    services = tuple(replace(each, outage="service_hang") for each in tried.struck.file.services)
    own = dataclasses.replace(tried, struck=replace(tried.struck, file=replace(tried.struck.file, services=services)))
    assert isinstance(own.strike("frozen"), ServiceEnds)


def test_faults_are_noted_as_they_begin_show_and_end(tmp_path: Path) -> None:
    twice = "{name: twice, type: worker_kill, at: 0s, every: 1s, times: 2, restart_after: 0s}"
    by_rate = "{name: by-rate, type: transient_error, rate: 5%, at: 0s, for: 1s}"
    faults = f"queue: {{workers: 2}}\nfaults: [{twice}, {by_rate}]"
    with trying(tmp_path, target(), faults) as tried:
        all_faults = faults_of(tried.struck)
        all_faults.start()

        def go_on() -> None:
            tried.struck.context.agenda.run(tried.struck.context.now())

        found: list[tuple[str, ...]] = []

        def all_there() -> bool:
            go_on()
            found.extend(tried.made.noted())
            return [each[0] for each in found].count("cleared") == 2

        until(all_there)
        one = [("injected", "twice"), *away("w0", "twice"), ("cleared", "twice")]
        assert sorted(found) == sorted([*one, *one])
        assert [*all_faults.under_way] == []


def test_a_service_that_ends_by_itself_is_said_and_may_be_struck_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with trying(tmp_path, target()) as tried:
        kill_tree(tried.strike("frozen").tree[0])
        tried.made.sees(("exited", "store", "died"))
        assert "the run goes on, but store was ended by signal 9" in capsys.readouterr().err
        assert not tried.strike("down").begin()
        assert not tried.strike("frozen").begin()
