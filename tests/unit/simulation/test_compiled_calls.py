"""What Python and C hand each other: what both must agree on, arrays, and what is freed."""

import ctypes
import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from soak.runner.evidence import compiled_lines, compiled_parse
from soak.runner.judge import sweep
from soak.runner.judge.queue import compiled_exposure, follow
from soak.simulation import blocks
from soak.simulation.compiled import library
from soak.simulation.compiled.__main__ import sources
from soak.simulation.compiled.calls import FLOATS, FLOATS_OUT, INTS, NUMBER, POINTER, Handle, Library, Memory, address
from soak.simulation.compiled.library import Unavailable
from soak.simulation.queue import compiled

LIBRARIES = (
    *(blocks.LIBRARY, compiled.KERNEL, compiled_lines.LIBRARY, compiled_parse.LIBRARY),
    *(compiled_exposure.LIBRARY, follow.LIBRARY, sweep.LIBRARY),
)
SHARED = [(each, name) for each in LIBRARIES for name in each.shared]
PART = """#include "soak.h"
enum { WIDTH = 7 };
int64_t left = 0;
double *part_new(void) { left++; return calloc(1, 8); }
void part_free(double *made) { left--; free(made); }
int64_t part_left(void) { return left; }
void part_sum(int64_t count, const double *of, double *sum) { for (int64_t i = 0; i < count; i++) *sum += of[i]; }
SHARED(CONSTANT(WIDTH) SIZE(Shared))
"""
FUNCTIONS = {
    "part_new": (POINTER,),
    "part_free": (None, POINTER),
    "part_left": (NUMBER,),
    "part_sum": (None, NUMBER, FLOATS, FLOATS_OUT),
}


@pytest.fixture(autouse=True, scope="module")
def _compiler() -> None:
    try:
        blocks.LIBRARY.load()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv(library.CACHE_VARIABLE, str(tmp_path / "cache"))
    path = tmp_path / "part.c"
    path.write_text(PART)
    yield path
    library.outcome.cache_clear()


def part(source: Path) -> Library:
    return Library(source, FUNCTIONS, {"WIDTH": 7, "Shared": 16})


def test_each_source_says_what_it_shares() -> None:
    assert sorted(each.source.name for each in LIBRARIES) == [
        path.name for path in sorted(sources(), key=lambda path: path.name)
    ]
    for each in LIBRARIES:
        each.load()


@pytest.mark.parametrize(("of", "name"), SHARED, ids=[f"{each.source.name}-{name}" for each, name in SHARED])
def test_a_number_that_differs_is_never_used(of: Library, name: str) -> None:
    other = Library(of.source, {}, {**of.shared, name: of.shared[name] + 1})
    with pytest.raises(Unavailable, match=f"^{of.source.name} and Python differ in {name}$"):
        other.load()
    assert other.load_or_none() is None
    with pytest.raises(Unavailable, match=f"differ in {name}$"):
        Library(of.source, {}, {each: number for each, number in of.shared.items() if each != name}).load()


@pytest.mark.parametrize(
    ("before", "after", "name"),
    [("WIDTH = 7", "WIDTH = 8", "WIDTH"), ("SIZE(Shared)", '{"Shared", sizeof(Shared[2])},', "Shared")],
)
def test_a_source_that_differs_is_never_used(source: Path, before: str, after: str, name: str) -> None:
    source.write_text(PART.replace(before, after))
    with pytest.raises(Unavailable, match=f"^part.c and Python differ in {name}$"):
        part(source).load()


def test_a_source_that_says_nothing_is_never_used(source: Path) -> None:
    source.write_text(PART.replace("SHARED(", "// "))
    with pytest.raises(Unavailable, match=r"^part\.c does not say what it shares with Python$"):
        part(source).load()


def test_arrays_are_given_as_they_are(source: Path) -> None:
    total = np.zeros(1)
    part(source).load().part_sum(3, np.array([1.0, 2.0, 4.0]), total)
    assert total == 7.0


@pytest.mark.parametrize(
    "wrong", [np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.float32), np.zeros(8)[::2], [0.0] * 4, None]
)
def test_other_arrays_are_refused(source: Path, wrong: object) -> None:
    with pytest.raises(ctypes.ArgumentError):
        part(source).load().part_sum(4, wrong, np.zeros(1))
    with pytest.raises(TypeError):
        address(wrong, FLOATS)  # type: ignore[arg-type]


def test_what_cannot_be_written_is_refused(source: Path) -> None:
    fixed = np.zeros(1)
    fixed.flags.writeable = False
    with pytest.raises(ctypes.ArgumentError):
        part(source).load().part_sum(1, fixed, fixed)
    assert address(fixed, FLOATS) == fixed.ctypes.data
    with pytest.raises(TypeError):
        address(np.zeros(1), INTS)


def test_what_c_has_made_is_freed_with_the_last_reference(source: Path) -> None:
    loaded = part(source).load()
    handle = Handle(loaded.part_new(), loaded.part_free)
    assert loaded.part_left() == 1
    del handle
    assert loaded.part_left() == 0
    with pytest.raises(MemoryError):
        Handle(None, loaded.part_free)


def test_arrays_are_kept_until_there_is_another() -> None:
    memory = Memory()
    at = memory.floats("one", [1.0, 2.0])
    gc.collect()
    assert list((ctypes.c_double * 2).from_address(at)) == [1.0, 2.0]
    for _ in range(1000):
        memory.floats("one", np.zeros(1000))
    assert len(memory) == 1
