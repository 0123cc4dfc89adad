"""Building and loading C sources: whatever is wrong with the machine, one line says so and nothing else is raised."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soak.simulation.compiled import __main__ as command
from soak.simulation.compiled import library
from soak.simulation.compiled.library import Unavailable

SOURCE = '#include "soak.h"\nint answer(void) { return 42; }\n'

LOAD = "import sys, pathlib; from soak.simulation.compiled.library import load; print(load(pathlib.Path(sys.argv[1])).answer())"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache folder that is not there yet."""
    monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "cache"))
    library.outcome.cache_clear()
    yield tmp_path / "cache"
    library.outcome.cache_clear()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "part" / "part.c"
    path.parent.mkdir()
    path.write_text(SOURCE)
    return path


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script in the place of every compiler."""

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in library.COMPILERS:
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


def built_elsewhere(source: Path, cache: Path) -> Path:
    """The library, built by another process: what this one has mapped must not be cut off under it."""
    subprocess.run([sys.executable, "-c", LOAD, source], check=True, capture_output=True)
    (path,) = cache.iterdir()
    return path


def why(source: Path) -> str:
    """Why there is no library; the cache holds nothing then."""
    with pytest.raises(Unavailable) as raised:
        library.load(source)
    assert "\n" not in str(raised.value)
    assert raised.value.__cause__ is None
    folder = library.cache_folder()
    assert not folder.is_dir() or list(folder.iterdir()) == []
    return str(raised.value)


def test_it_is_built_once_and_loaded_again(source: Path, cache: Path, compiler: Callable[[str], None]) -> None:
    assert library.load(source).answer() == 42
    (built,) = cache.iterdir()
    assert built.name.startswith(f"part-{library.digest_of(source)}-")
    assert cache.stat().st_mode & 0o077 == 0
    compiler("exit 1")
    library.outcome.cache_clear()
    assert library.load(source).answer() == 42


def test_another_version_of_the_source_is_another_library(source: Path, cache: Path) -> None:
    library.load(source)
    source.write_text(SOURCE.replace("42", "43"))
    library.outcome.cache_clear()
    assert library.load(source).answer() == 43
    assert len(list(cache.iterdir())) == 2


def test_a_compiler_that_fails_is_started_once(source: Path, tmp_path: Path, compiler: Callable[[str], None]) -> None:
    compiler(f"echo started >> {tmp_path}/log; echo 'error: no' >&2; exit 1")
    assert [why(source), why(source)] == ["part.c cannot be compiled: error: no"] * 2
    assert (tmp_path / "log").read_text() == "started\n"


# The cache.


def test_a_cache_folder_named_relative_to_here(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv(library.CACHE_VARIABLE, ".")
    assert library.load(source).answer() == 42


def test_a_cache_folder_named_from_home(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(library.CACHE_VARIABLE, "~/kept")
    assert library.load(source).answer() == 42
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_cache_folder_in_a_home_that_there_is_not(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.CACHE_VARIABLE, "~nobody-of-this-name/kept")
    with pytest.raises(Unavailable, match="no home folder like that of SOAK_CACHE"):
        library.load(source)


def test_a_compiler_that_cannot_write_where_it_should(source: Path, compiler: Callable[[str], None]) -> None:
    compiler('echo "cc1: error: cannot write in $TMPDIR/: no space" >&2; exit 1')
    assert why(source) == "part.c cannot be compiled: cc1: error: cannot write in the cache folder: no space"


def test_a_cache_folder_that_is_a_file(source: Path, cache: Path) -> None:
    cache.write_text("")
    assert why(source) == "the cache folder cannot be written: File exists (set SOAK_CACHE)"


def test_a_cache_folder_below_a_file(source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_text("")
    monkeypatch.setenv(library.CACHE_VARIABLE, str(cache / "deeper"))
    assert "cannot be written: Not a directory" in why(source)


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o775])
def test_a_cache_folder_into_which_others_can_write_is_not_trusted(source: Path, cache: Path, mode: int) -> None:
    cache.mkdir()
    cache.chmod(mode)
    assert why(source) == "others can write to the cache folder (chmod go-w, or set SOAK_CACHE)"


def test_a_cache_folder_of_somebody_else_is_not_trusted(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.load(source)
    library.outcome.cache_clear()
    own = os.geteuid()
    for path in (cache, *cache.iterdir()):
        if own == 0:
            os.chown(path, 12345, 12345)
    if own != 0:
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    with pytest.raises(Unavailable, match="belongs to somebody else"):
        library.load(source)


def test_a_link_of_somebody_else_to_a_folder_of_ones_own_is_not_trusted(
    source: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    cache.symlink_to(tmp_path / "own")
    if os.geteuid() != 0:
        pytest.skip("only root can give a link away")
    os.lchown(cache, 12345, 12345)
    assert "belongs to somebody else" in why(source)


def test_without_a_home_there_is_no_cache(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_: Path) -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv(library.CACHE_VARIABLE)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "expanduser", no_home)
    with pytest.raises(Unavailable, match="no home folder to keep compiled parts in"):
        library.load(source)


# Libraries that are not what they should be.


@pytest.mark.parametrize("kept", [0, 1, 64, 4096, -1], ids=str)
def test_a_truncated_library_is_never_loaded_and_built_again(source: Path, cache: Path, kept: int) -> None:
    path = built_elsewhere(source, cache)
    path.write_bytes(path.read_bytes()[:kept])
    assert library.load(source).answer() == 42
    assert len(list(cache.iterdir())) == 1


def test_a_changed_library_is_built_again(source: Path, cache: Path) -> None:
    path = built_elsewhere(source, cache)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert library.load(source).answer() == 42
    assert path.read_bytes() != content


def test_a_library_of_another_version_under_this_name_is_built_again(source: Path, tmp_path: Path) -> None:
    digest, other = library.digest_of(source), tmp_path / "other" / "part.c"
    other.parent.mkdir()
    other.write_text(SOURCE.replace("42", "41"))
    wrong = library.build(other, source.parent)
    disguised = source.with_name(f"part-{digest}-{wrong.stem.rpartition('-')[2]}.so")
    wrong.rename(disguised)
    assert library.load(source).answer() == 42


def test_a_library_of_another_architecture_is_built_again(source: Path, cache: Path) -> None:
    path = built_elsewhere(source, cache)
    content = bytearray(path.read_bytes())
    content[18:20] = (0xF3, 0x00)  # e_machine: RISC-V
    foreign = path.with_name(f"part-{library.digest_of(source)}-{library._hash_of(bytes(content))}.so")
    foreign.write_bytes(content)
    path.unlink()
    with pytest.raises(Unavailable, match="built for another machine, or its folder forbids execution"):
        library._opened(foreign)
    assert library.load(source).answer() == 42


def test_the_digest_tells_machines_apart(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = library.digest_of(source)
    monkeypatch.setattr(library.platform, "machine", lambda: "riscv64")
    assert library.digest_of(source) != here


def test_one_that_was_shipped_is_taken_first_and_needs_neither_cache_nor_compiler(
    source: Path, cache: Path, compiler: Callable[[str], None]
) -> None:
    shipped = library.build(source, source.parent)
    compiler("exit 1")
    cache.write_text("")
    assert library.find(source) == shipped
    assert library.load(source).answer() == 42


# Compilers.


def test_no_compiler(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert why(source) == "there is no C compiler (install gcc or clang)"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo note >&2; echo 'part.c:1: error: no memory' >&2; echo more >&2; exit 1", "part.c:1: error: no memory"),
        ("exit 7", "exit code 7"),
        ("exit 0", "exit code 0"),
        ("printf 'error: \\033[1m\\377bold\\n' >&2; exit 1", "error: "),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_a_compiler_that_fails(source: Path, compiler: Callable[[str], None], script: str, said: str) -> None:
    compiler(script)
    told = why(source)
    assert told.startswith(f"part.c cannot be compiled: {said}")
    assert told.isprintable()


def test_a_compiler_that_makes_no_library(source: Path, compiler: Callable[[str], None]) -> None:
    compiler('while [ "$1" != -o ]; do shift; done; echo hello > "$2"')
    said = why(source)
    assert "cannot be loaded" in said
    assert said.endswith("(set SOAK_CACHE)")


def test_a_compiler_that_has_no_room_for_files_says_so(source: Path, compiler: Callable[[str], None]) -> None:
    compiler("ulimit -f 0; echo 'error: No space left on device' >&2; exit 1")
    assert why(source) == "part.c cannot be compiled: error: No space left on device"


def test_a_compiler_that_hangs_is_waited_for_once(
    source: Path, compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(library, "BUILT_WITHIN_S", 0.3)
    compiler(f"echo started >> {tmp_path}/log; sleep 600")
    other = source.with_name("other.c")
    other.write_text(SOURCE)
    assert why(source) == why(other) == "the C compiler did not end within 0.3 s"
    assert (tmp_path / "log").read_text() == "started\n"


def test_a_source_that_is_wrong_or_not_there(source: Path) -> None:
    source.write_text("int answer(void) { return nothing; }\n")
    assert why(source).startswith("part.c cannot be compiled: ")
    source.unlink()
    library.outcome.cache_clear()  # what failed once is not tried again
    assert why(source) == "part.c cannot be read: No such file or directory"


def test_a_compiler_that_hangs_is_ended_with_its_children(
    source: Path, compiler: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(library, "BUILT_WITHIN_S", 0.3)
    compiler(f"sleep 600 & echo $! > {tmp_path}/child; wait")
    assert why(source) == "the C compiler did not end within 0.3 s"
    assert is_gone(int((tmp_path / "child").read_text()))


def is_gone(number: int) -> bool:
    for _ in range(200):
        try:
            state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_an_interrupt_leaves_nothing(
    source: Path, cache: Path, compiler: Callable[[str], None], tmp_path: Path
) -> None:
    compiler(f"echo $$ > {tmp_path}/started; sleep 600")
    process = subprocess.Popen([sys.executable, "-c", LOAD, source], stderr=subprocess.PIPE)
    while not (tmp_path / "started").exists() or not (tmp_path / "started").read_text():
        time.sleep(0.01)
    time.sleep(0.3)  # It may still be about to begin to wait for the compiler.
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate()[1]
    assert list(cache.iterdir()) == []
    assert is_gone(int((tmp_path / "started").read_text()))


def test_what_a_killed_process_left_is_removed_once_it_is_old(source: Path, cache: Path) -> None:
    for name, age_s in (("building-old", 10_000), ("building-new", 10)):
        (cache / name).mkdir(parents=True)
        (cache / name / "built.so").write_bytes(b"half")
        then = time.time() - age_s
        os.utime(cache / name, (then, then))
    cache.chmod(0o700)
    library.load(source)
    assert sorted(path.name[:8] for path in cache.iterdir()) == ["building", "part-" + library.digest_of(source)[:3]]


def test_several_build_at_once(source: Path, cache: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", LOAD, source], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    found = list[Path]()
    threads = [threading.Thread(target=lambda: found.append(library.find(source))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.communicate()[0] for process in processes] == ["42\n"] * 3
    assert len(found) == 2
    assert not list(cache.glob("building-*"))


# The command.


def test_the_command_says_where_each_library_is(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([]) == 0
    lines = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    assert lines["simulation/queue/kernel.c"].startswith(f"{cache}/kernel-")
    assert all(Path(path).is_file() for path in lines.values())
    assert "runner/targets/processes/faketime/clock.c" not in lines


def test_the_command_says_why_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, compiler: Callable[[str], None]
) -> None:
    compiler("exit 1")
    monkeypatch.setattr(command, "sources", lambda: [Path(command._PACKAGE, "simulation", "queue", "kernel.c")])
    assert command.main([]) == 1
    said = capsys.readouterr().out
    assert said == "simulation/queue/kernel.c: not built: kernel.c cannot be compiled: exit code 1\n"
    assert command.main(["--into"]) == 2


def test_the_command_builds_beside_the_sources(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "_PACKAGE", source.parents[1])
    old = source.with_name("part-0-0.so")
    old.touch()
    assert command.main(["--into-package"]) == 0
    (built,) = source.parent.glob("*.so")
    assert capsys.readouterr().out == f"part/part.c: {built}\n"
    assert not cache.exists()
    assert command.main(["--into-package"]) == 0
    assert list(source.parent.glob("*.so")) == [built]
