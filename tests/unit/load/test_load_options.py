"""How load is to be made, as the command line says it."""

import pytest

from soak.runner.cli import run_command
from soak.runner.load.options import Options, address, options_of
from soak.runner.targets.base import Loading
from soak.runner.targets.make import have_load_made, make_target
from soak.schemas.errors import UsageError


@pytest.mark.parametrize(
    ("processes", "master", "expect", "options"),
    [
        (None, None, None, None),
        (3, None, None, Options(3)),
        (None, "0.0.0.0:5557", 8, Options(1, ("0.0.0.0", 5557), 8)),
        (None, "[::1]:5557", 1, Options(1, ("::1", 5557), 1)),
    ],
)
def test_options_that_go_together(
    processes: int | None, master: str | None, expect: int | None, options: Options | None
) -> None:
    assert options_of(processes, master, expect) == options
    if options:
        assert options.workers == (expect or processes)


@pytest.mark.parametrize(
    ("processes", "master", "expect", "says"),
    [
        (2, "0.0.0.0:5557", 2, "(write one of them)"),
        (None, "0.0.0.0:5557", None, "(add --expect-workers N)"),
        (None, None, 2, "(write --locust-master HOST:PORT, or --processes)"),
        (2, None, 2, "(write --locust-master HOST:PORT, or --processes)"),
        (None, "5557", 2, "--locust-master 5557: is not an address with a port"),
        (None, "host:http", 2, "--locust-master host:http: is not an address with a port"),
        (None, "host:70000", 2, "--locust-master host:70000: is not an address with a port"),
    ],
)
def test_options_that_do_not(processes: int | None, master: str | None, expect: int | None, says: str) -> None:
    with pytest.raises(UsageError) as refused:
        options_of(processes, master, expect)
    assert says in str(refused.value)


def test_an_address_has_a_host_and_a_port() -> None:
    assert address("10.0.0.5:5557", "--master") == ("10.0.0.5", 5557)


@pytest.mark.parametrize("name", ["simulation", "orchestrator", "calls", "pipeline"])
def test_targets_that_are_sent_no_requests_refuse_them(name: str) -> None:
    target = make_target(name)
    have_load_made(target, None)
    with pytest.raises(UsageError, match=f"not for {name}"):
        have_load_made(target, Options(2))


@pytest.mark.parametrize("name", ["http", "gateway"])
def test_targets_that_are_sent_requests_take_them(name: str) -> None:
    target = make_target(name)
    have_load_made(target, Options(2))
    assert isinstance(target, Loading)
    assert target.load == Options(2)


def test_the_command_line_refuses_before_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["run", "none.yaml", "--processes", "2"]) == 2
    assert "not for simulation (remove them)" in capsys.readouterr().err
