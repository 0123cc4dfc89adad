"""Programs on a faster clock: what runs faster, how exactly, and what is refused."""

import os
import selectors
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from servers import until

from soak.runner.targets.make import make_target
from soak.runner.targets.processes.faketime import clock as clocks
from soak.runner.targets.processes.faketime.clock import FakeClock, FakeClockError, fake_clock_of
from soak.runner.targets.processes.faketime.fitness import off_the_clock, unfit, unfit_file
from soak.runner.targets.processes.faketime.of_run import RunClock
from soak.runner.targets.processes.faketime.pulse import Beats, Pulse
from soak.runner.targets.processes.faketime.trial import Measured, measured
from soak.runner.targets.processes.launch import StartError
from soak.schemas.errors import ScenarioError, UsageError
from soak.schemas.target.load import load_target

FACTOR, ASKED_S = 600, 60
WAITS = Path(__file__).with_name("every_wait.c")
WAYS = 34
"""Ways to wait in that program."""

Said = Mapping[str, tuple[float, ...]]


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeClock]:
    made = FakeClock(FACTOR, tmp_path_factory.mktemp("clock"))
    yield made
    made.close()


def compiled(source: Path | str, to: Path, *more: str) -> Path:
    """A program in C."""
    text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    subprocess.run(["cc", "-std=gnu11", "-w", "-x", "c", "-", "-o", to, *more], input=text.encode(), check=True)
    return to


def under(clock: FakeClock, *command: str | Path, **more: str) -> str:
    """What a program says that has this clock."""
    environment = {**os.environ, **clock.environment, **more}
    return subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, check=True, timeout=60, encoding="utf-8"
    ).stdout


@pytest.fixture(scope="module")
def said(clock: FakeClock, tmp_path_factory: pytest.TempPathFactory) -> Said:
    """What the program says that waits in every way."""
    program = compiled(WAITS, tmp_path_factory.mktemp("waits") / "every_wait")
    lines = (line.split("\t") for line in under(clock, program, str(ASKED_S)).splitlines())
    return {name: tuple(map(float, figures)) for name, *figures in lines}


def test_no_wait_ends_before_its_time_and_all_end_early_in_real_time(said: Said) -> None:
    waits = {name: figures for name, figures in said.items() if len(figures) == 3}
    assert len(waits) == WAYS
    for name, (fake_s, real_s, _) in waits.items():
        assert fake_s >= ASKED_S - 1e-6, name
        assert real_s < ASKED_S / 4, name


def test_the_clock_is_exactly_as_fast_as_asked(said: Said) -> None:
    for name, (fake_s, most_s, least_s) in ((name, each) for name, each in said.items() if len(each) == 3):
        assert least_s * FACTOR - 1e-3 <= fake_s <= most_s * FACTOR + 1e-3, name


def test_time_left_is_by_the_same_clock(said: Said) -> None:
    for (left_s,) in (said["left"], said["left of alarm"]):
        assert ASKED_S * 1000 * 0.5 < left_s <= ASKED_S * 1000


def test_other_system_calls_by_number_are_left_alone(said: Said) -> None:
    assert said["child"] == (7,)


@pytest.fixture(scope="module")
def ways(clock: FakeClock) -> list[Measured]:
    return measured(clock)


def test_every_way_of_python_is_measured(ways: list[Measured]) -> None:
    assert {"time.sleep", "lock", "queue.get", "epoll", "asyncio.sleep", "subprocess timeout", "alarm"} <= {
        each.way for each in ways
    }
    assert all(each.of_asked >= 1 - 1e-6 for each in ways)
    assert all(FACTOR / 4 < each.factor < FACTOR * 1.2 for each in ways)


def test_a_way_is_off_when_it_is_slower_faster_or_ends_before_its_time() -> None:
    assert not Measured("lock", 59.0, 1.001).is_off(60)
    assert Measured("lock", 1.0, 1.0).is_off(60)
    assert Measured("lock", 70.0, 1.0).is_off(60)
    assert Measured("lock", 60.0, 0.9).is_off(60)


TELL = "import time; print(time.time(), time.monotonic())"


def test_all_programs_agree_on_the_time_also_those_that_they_start(clock: FakeClock) -> None:
    nested = (
        f"import subprocess, sys; print(subprocess.run([sys.executable, '-c', {TELL!r}], stdout=-1).stdout.decode())"
    )
    for program in (TELL, nested):
        before_s = clock.now()
        told_s = float(under(clock, sys.executable, "-c", program).split()[0])
        assert before_s <= told_s <= clock.now()
    # Some programs ask for whole seconds.
    before_s = clock.now()
    assert int(before_s) <= int(under(clock, "date", "+%s")) <= clock.now()


def test_a_jump_sets_the_time_of_all_at_once_and_leaves_monotonic_clocks(tmp_path: Path) -> None:
    clock = FakeClock(2, tmp_path)
    asked = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
    child = subprocess.Popen(
        [sys.executable, "-c", asked],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdin and child.stdout

        def ask() -> tuple[float, float]:
            assert child.stdin and child.stdout
            child.stdin.write("\n")
            child.stdin.flush()
            wall_s, steady_s = map(float, child.stdout.readline().split())
            return wall_s, steady_s

        first, now_s = ask(), clock.now()
        clock.jump(86_400)
        second = ask()
        clock.jump(-86_400)
        third, after_s = ask(), clock.now()
        child.stdin.close()
    assert first[0] <= now_s
    assert 86_400 <= second[0] - first[0] == pytest.approx(86_400 + second[1] - first[1], abs=1.0)
    assert first[0] <= third[0] <= after_s < second[0]
    assert first[1] <= second[1] <= third[1] < first[1] + 3600
    clock.close()


def test_files_written_meanwhile_are_as_old_as_their_program_thinks(clock: FakeClock, tmp_path: Path) -> None:
    (old := tmp_path / "old").touch()
    long_ago_s = time.time() - 86_400
    os.utime(old, (long_ago_s, long_ago_s))
    program = (
        "import os, sys, time\nnew, old = sys.argv[1:]\n"
        "open(new, 'w').close(); print(time.time() - os.stat(new).st_mtime)\n"
        "os.utime(new, (1e9, time.time() - 5000)); print(time.time() - os.stat(new).st_mtime)\n"
        "print(os.stat(new).st_atime, os.stat(old).st_mtime)\n"
    )
    written_s, set_s, then_s, old_s = map(
        float, under(clock, sys.executable, "-c", program, tmp_path / "new", old).split()
    )
    assert -1.0 < written_s < 600  # a tick of the kernel is 10 ms at most
    assert 4999 < set_s < 5600
    assert (then_s, old_s) == (1e9, pytest.approx(long_ago_s, abs=1e-3))


def test_a_program_whose_clock_cannot_be_read_says_so_and_does_not_run(clock: FakeClock, tmp_path: Path) -> None:
    environment = {**os.environ, **clock.environment, "SOAK_CLOCK": str(tmp_path / "none")}
    done = subprocess.run(["date"], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr == f"soak: the clock {tmp_path / 'none'} cannot be opened\n"


def test_a_directory_that_others_cannot_enter_or_that_has_a_space_is_not_used(tmp_path: Path) -> None:
    for folder, mode in ((tmp_path / "two words", 0o755), (tmp_path / "closed", 0o700)):
        folder.mkdir()
        folder.chmod(mode)
        made = FakeClock(60, folder)
        assert made.directory != folder.resolve()
        assert not [*folder.iterdir()]
        assert float(under(made, sys.executable, "-c", TELL).split()[0]) <= made.now()
        made.close()
        assert not made.directory.exists()


# What is refused.


def test_no_compiler_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FakeClockError) as caught:
        FakeClock(60, tmp_path)
    expected = "a faster clock needs a C compiler, and there is none: on Debian, apt-get install gcc libc6-dev (or remove clock:)"
    assert str(caught.value) == expected


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\necho 'clock.c:9: fatal error: no such file' >&2\nexit 1\n", encoding="utf-8")
    compiler.chmod(0o755)
    monkeypatch.setattr(clocks, "COMPILERS", (str(compiler),))
    with pytest.raises(FakeClockError) as caught:
        FakeClock(60, tmp_path)
    assert "clock.c:9: fatal error: no such file (on Debian, apt-get install gcc libc6-dev)" in str(caught.value)


def test_a_static_program_is_named(tmp_path: Path) -> None:
    program = compiled("int main() { return 0; }", tmp_path / "fixed", "-static")
    assert unfit_file(program) == "fixed is statically linked, so that no library can be loaded before it"
    (script := tmp_path / "script").write_text(f"#!{program}\n", encoding="utf-8")
    assert unfit("./script --all", None, tmp_path) == unfit_file(program)
    script.write_text(f"#!/usr/bin/env -S {sys.executable}\n", encoding="utf-8")
    assert unfit("./script", None, tmp_path) == ""
    assert unfit("sh -c true", os.environ["PATH"], tmp_path) == ""


def test_a_program_in_go_or_for_another_c_library_is_named(tmp_path: Path) -> None:
    text = 'const char mark[] = "\\xff Go buildinf:"; int main() { return mark[1] != 32; }'
    assert "is written in Go" in unfit_file(compiled(text, tmp_path / "gopher"))
    other = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"
    assert "another C library (musl)" in unfit_file(compiled("int main() {}", tmp_path / "alpine", other))


def test_a_program_with_the_rights_of_another_user_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = compiled("int main() {}", tmp_path / "raised")
    program.chmod(0o755 | stat.S_ISUID)
    assert unfit_file(program) == ""
    own = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    assert "raised runs with the rights of another user (setuid)" in unfit_file(program)


def test_a_process_without_the_clock_is_named(clock: FakeClock, tmp_path: Path) -> None:
    static = compiled("int main() { for (;;) pause(); }", tmp_path / "fixed", "-static", "-include", "unistd.h")
    environment = {**os.environ, **clock.environment}
    commands = {
        "fine": ["sleep", "1000000"],
        "bare": ["env", "-u", "LD_PRELOAD", "sleep", "1000"],
        "fixed": [str(static)],
        "other": ["env", "LD_PRELOAD=", "sleep", "1000"],
    }
    children = {name: subprocess.Popen(each, env=environment) for name, each in commands.items()}
    try:
        pids = {name: each.pid for name, each in children.items()}
        expected = {
            "bare": "sleep was started without the variables of soak (LD_PRELOAD)",
            "fixed": "fixed is statically linked, so that no library can be loaded before it",
            "other": "sleep did not load the library of the clock",
        }
        # Until then some are still `env`, or have not loaded it yet.
        until(lambda: dict(off_the_clock(pids, clock.library)) == expected)
    finally:
        for each in children.values():
            each.kill()
            each.wait()


FILE = """\
name: quick
system: queue
workers: {command: "{python} worker.py"}
submit: {command: "SUBMIT"}
clock: {faketime: 60}
"""


def target_file(folder: Path, text: str = FILE, submit: str = "{python} submit.py {key} {payload}") -> Path:
    path = folder / "quick.yaml"
    path.write_text(text.replace("SUBMIT", submit), encoding="utf-8")
    return path


def test_the_speed_of_a_run_is_that_of_its_clock(tmp_path: Path) -> None:
    path = str(target_file(tmp_path))
    assert (make_target(path).speed, make_target(path, 60.0).speed) == (60.0, 60.0)
    with pytest.raises(UsageError) as caught:
        make_target(path, 10.0)
    what = "--speed 10: the clock of quick runs 60 times as fast, and the run with it (leave out --speed)"
    assert str(caught.value) == what


def test_a_clock_of_1_is_that_of_the_machine(tmp_path: Path) -> None:
    path = target_file(tmp_path, FILE.replace("60", "1"))
    assert make_target(str(path), 10.0).speed == 10.0
    assert fake_clock_of(load_target(path).file, tmp_path) is None


def test_a_target_file_with_a_static_program_is_refused_at_its_place(tmp_path: Path) -> None:
    from soak.runner.targets.processes.faketime.fitness import unclocked

    compiled("int main() { return 0; }", tmp_path / "fixed", "-static")
    loaded = load_target(target_file(tmp_path, submit="./fixed {key} {payload}"))
    error = ScenarioError(list(unclocked(loaded)))
    why = "fixed is statically linked, so that no library can be loaded before it"
    assert (
        str(error)
        == f"{loaded.document.source}:4:19: submit.command: cannot run with clock: faketime: {why} (remove clock:)"
    )
    assert not list(unclocked(load_target(target_file(tmp_path))))


# During a run.


def test_waits_are_measured_during_a_run_and_what_is_off_is_said(tmp_path: Path) -> None:
    with selectors.DefaultSelector() as selector:
        clock = FakeClock(FACTOR, tmp_path)
        pulse = Pulse(clock, selector)
        while pulse.beats().count < 1:
            for key, _ in selector.select(20.0):
                key.data()
        beats = pulse.beats()
        pulse.close()
        assert not selector.get_map()
        clock.close()
    assert 1.0 <= beats.mean <= beats.longest
    assert beats.seconds == FACTOR
    assert 0 <= beats.busy <= 1


def test_late_waits_and_busy_processors_are_doubts() -> None:
    assert Beats(100, 1.004, 1.2, 60.0, 0.5).doubts(60) == []
    assert Beats(100, 1.004, 1.2, 60.0, 0.5).words(60) == (
        "clock x60: 100 waits, 0.40% late on average, 12s at most by the programs' clock; processors 50% busy"
    )
    late, busy = Beats(100, 1.02, 1.2, 60.0, 0.95).doubts(60)
    assert late == "waits of 60 s by the clock x60 were 1.2s late on average (lower clock: faketime)"
    assert busy.startswith("the processors were busy for 95% of the time: what computes is not 60 times as fast")
    # Too few to say anything.
    assert Beats(4, 1.5, 2.0, 60.0, 0.1).doubts(60) == []


def test_a_run_with_a_program_that_has_another_clock_is_refused_by_name(tmp_path: Path) -> None:
    file = load_target(target_file(tmp_path)).file
    with selectors.DefaultSelector() as selector:
        clock = RunClock(file, tmp_path, selector)
        with pytest.raises(StartError) as caught:
            clock.start({"w0": os.getpid()})
        clock.close()
    program = Path(sys.executable).resolve().name
    assert str(caught.value).startswith(f"not on the clock of the target file: w0: {program} ")
    assert str(caught.value).endswith(" (remove clock:)")


def test_without_a_clock_nothing_is_done(tmp_path: Path) -> None:
    file = load_target(target_file(tmp_path, FILE.replace("clock: {faketime: 60}\n", ""))).file
    with selectors.DefaultSelector() as selector:
        clock = RunClock(file, tmp_path, selector)
        clock.start({"w0": os.getpid()})
        clock.tell()
        clock.close()
        assert (clock.environment, selector.get_map()) == ({}, {})
