"""Kernels that are wrong in one place, and whether the comparison of engines finds that out."""

import os
import random
import re
import resource
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engines.equal import Stream, differences, streamed
from engines.generated import Generated
from soak.simulation.compiled import library
from soak.simulation.compiled.engine import Engine
from soak.simulation.queue import compiled

MOST_CPU_S = 8
NOTICED, SURVIVES, BROKEN, FAILED = 0, 1, 2, 3
"""Exit codes of the process that tries a mutant. broken: it cannot be compiled; failed: an exception, noticed as well."""

CHANGES = (
    (" < ", " <= "), (" < ", " > "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "), (" == ", " != "), (" != ", " == "),
    (" && ", " || "), (" || ", " && "), (" + ", " - "), (" - ", " + "), (" * ", " + "), ("++", "--"), ("--", "++"),
    (" = 1;", " = 0;"), (" = 0;", " = 1;"), ("FOREVER", "0.0"), ("if (", "if (!"), (", 0.0)", ", 1.0)"), ("break;", ";"),
)  # fmt: skip
"""What is replaced by what, one place at a time; statements are left out as well."""
_STATEMENT = re.compile(r"(?m)^ {4,}(?!(?:return|double|int64_t|int|const|uint8_t|Event|Attempt|Windows)\b)[^{}\n]+;$")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class Mutant:
    """The kernel with one part of its text replaced: that at a place, of some length."""

    place: int
    old: str
    new: str

    @classmethod
    def of(cls, text: str, old: str, new: str) -> "Mutant":
        """A replacement of what the kernel has once."""
        if text.count(old) != 1:
            raise ValueError(f"the kernel has {old!r} {text.count(old)} times")
        return cls(text.index(old), old, new)

    def applied(self, text: str) -> str:
        """The changed kernel."""
        return text[: self.place] + self.new + text[self.place + len(self.old) :]

    def line(self, text: str) -> int:
        """The line that is changed."""
        return text.count("\n", 0, self.place) + 1

    def told(self, text: str) -> str:
        """The line before and after."""
        whole = text.splitlines()[self.line(text) - 1].strip()
        changed = self.applied(text).splitlines()[self.line(text) - 1].strip()
        return f"kernel.c:{self.line(text)}: {whole}  ->  {changed if changed != whole else self.new}"


def mutants_of(text: str) -> Iterator[Mutant]:
    """Every change of a kernel that we know how to make."""
    first = text.index("static void row(")
    commented = [match.span() for match in _COMMENT.finditer(text)]
    for old, new in CHANGES:
        for match in re.finditer(re.escape(old), text):
            if match.start() >= first and not any(start <= match.start() < end for start, end in commented):
                yield Mutant(match.start(), old, new)
    for match in _STATEMENT.finditer(text, first):
        yield Mutant(match.start(), match[0], "    ;")


def sample(text: str, count: int, seed: int) -> list[Mutant]:
    """Some of them, drawn from a seed."""
    every = list(mutants_of(text))
    return random.Random(seed).sample(every, min(count, len(every)))


@dataclass(frozen=True)
class Known:
    """A scenario and the events that the reference gives."""

    drawn: Generated
    stream: Stream


def survives(mutant: Mutant, known: Sequence[Known], folder: Path) -> int:
    """Whether the kernel with a change gives the same events, in a process of its own: it may well crash or never end."""
    child = os.fork()
    if not child:
        code = FAILED
        try:
            code = _in_child(mutant, known, folder)
        except library.Unavailable:
            code = BROKEN
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else NOTICED


def _in_child(mutant: Mutant, known: Sequence[Known], folder: Path) -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    source = folder / f"kernel-{mutant.place}-{abs(hash((mutant.old, mutant.new)))}.c"
    source.write_text(mutant.applied(compiled.KERNEL.source.read_text(encoding="utf-8")), encoding="utf-8")
    os.environ[library.CACHE_VARIABLE] = str(folder)
    compiled.KERNEL.source = source
    compiled.KERNEL.load()
    for each in known:
        if differences(each.stream.files, streamed(each.stream.loaded, each.drawn.block, Engine.COMPILED).files):
            return NOTICED
    return SURVIVES
