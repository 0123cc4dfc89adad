"""Random scenarios on the compiled engine and on SimPy: `python benchmarks/equality.py [--count 10000] [--from 0] [--jobs 2]`.

Every event must be the same to the byte; so must the verdict, of each tenth scenario, and the whole evidence, of each fiftieth.
The first differences are printed, and what was compared in the end. `--show SEED` prints a scenario, `--smaller SEED` one that
differs in as little of it as possible; `--mutants N` looks whether mistakes in the kernel are found. Exit code 1: something
differs, or a scenario fails or is not valid; of mutants: some were not noticed.
"""

import argparse
import gc
import multiprocessing
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from engines.equal import Compared, compare, streamed  # noqa: E402
from engines.features import features  # noqa: E402
from engines.generated import Generated, scenario_of  # noqa: E402
from engines.kernels import BROKEN, NOTICED, SURVIVES, Known, sample, survives  # noqa: E402
from engines.smaller import smaller  # noqa: E402

from soak.schemas.errors import SoakError  # noqa: E402
from soak.schemas.language.load import load  # noqa: E402
from soak.schemas.stream.kinds import Kind  # noqa: E402
from soak.simulation.compiled.engine import Engine  # noqa: E402
from soak.simulation.queue.compiled import KERNEL  # noqa: E402

JUDGED_EVERY, WHOLE_EVERY = 10, 50
MOST_SHOWN = 20


@dataclass(frozen=True)
class Seen:
    """What came of one seed; problem: what went wrong before anything could be compared."""

    compared: Compared
    used: frozenset[str]
    problem: str = ""


@dataclass
class Summary:
    """What came of all of them."""

    scenarios: int = 0
    different: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    why_not: Counter[str] = field(default_factory=Counter)
    used: Counter[str] = field(default_factory=Counter)
    kinds: Counter[Kind] = field(default_factory=Counter)

    def add(self, seen: Seen) -> None:
        """Count one, and print what differs."""
        self.scenarios += 1
        self.why_not[seen.compared.why_not] += 1
        self.used.update(seen.used)
        self.kinds.update(seen.compared.kinds)
        if seen.problem:
            self.failed.append(seen.compared.seed)
            print(f"seed {seen.compared.seed} {seen.problem}", flush=True)
        if seen.compared.differences:
            self.different.append(seen.compared.seed)
            if len(self.different) <= MOST_SHOWN:
                print(f"seed {seen.compared.seed} differs:", *seen.compared.differences, sep="\n  ", flush=True)

    def __str__(self) -> str:
        compiled = self.why_not[""]
        others = [f"  {count:6,}  {why}" for why, count in self.why_not.most_common() if why]
        return "\n".join(
            [
                f"{self.scenarios:,} scenarios with {len(self.used):,} keys and words of the language and "
                f"{len(self.kinds)} kinds of events: {len(self.different)} differ, {len(self.failed)} fail",
                f"  {compiled:6,}  ran compiled",
                *others,
            ]
        )


def look(seed: int, *, every: bool = False) -> Seen:
    """Compare the scenario of a seed; `every`: with verdict and evidence."""
    drawn = scenario_of(seed)
    used = frozenset(features(drawn.data))
    special = every or drawn.stop is not None or "repeat" in drawn.data
    judged, whole = special or not seed % JUDGED_EVERY, every or not seed % WHOLE_EVERY
    try:
        return Seen(compare(drawn, judged=judged, whole=whole), used)
    except SoakError as error:
        return Seen(Compared(seed, why_not="invalid"), used, f"is not valid: {error}")
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return Seen(Compared(seed, why_not="failed"), used, f"fails: {error!r} at {where.filename}:{where.lineno}")


def look_at_all(seeds: Iterable[int], jobs: int, *, every: bool) -> Iterator[Seen]:
    """In the order in which they are done."""
    # What is imported lives as long as the process: collections need not look through it each time.
    gc.freeze()
    if jobs == 1:
        yield from (look(seed, every=every) for seed in seeds)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(partial(look, every=every), seeds, chunksize=20)


def equality(seeds: range, jobs: int, *, every: bool) -> Summary:
    """Compare all, with a line of progress now and then."""
    summary, began = Summary(), time.monotonic()
    shown_at = began
    for seen in look_at_all(seeds, jobs, every=every):
        summary.add(seen)
        if time.monotonic() - shown_at > 15:
            shown_at = time.monotonic()
            so_far = f"{summary.scenarios:,} of {len(seeds):,} in {shown_at - began:.0f} s"
            print(f"{so_far}: {len(summary.different)} differ", file=sys.stderr, flush=True)
    return summary


def differs(drawn: Generated) -> bool:
    """Whether the engines differ on a scenario, be it in the verdict; not if it is not valid."""
    try:
        return bool(compare(drawn, judged=True).differences)
    except SoakError:
        return False


def shown(drawn: Generated) -> str:
    """A scenario as YAML, with the files that it refers to."""
    text = yaml.safe_dump(drawn.data, sort_keys=False, width=120)
    files = [
        "\n#   ".join([f"# {name}:", *content.decode().splitlines()]) + "\n"
        for name, content in drawn.files.items()
        if name in text
    ]
    return (
        f"# seed {drawn.seed}, blocks of {drawn.block}, abort {drawn.abort}, stop {drawn.stop}\n{''.join(files)}{text}"
    )


def smallest(seed: int) -> str:
    """The smallest scenario that still differs, as YAML, with what differs."""
    drawn = scenario_of(seed)
    if not differs(drawn):
        return f"# seed {seed}: the engines do not differ\n"
    less = smaller(drawn, differs)
    found = "".join(f"# {line}\n" for each in compare(less, judged=True).differences for line in str(each).splitlines())
    return found + shown(less)


def mutants(count: int, seeds: range) -> int:
    """Change the kernel in one place after the other, and tell what no scenario of these seeds shows; returns how many."""
    text, codes = KERNEL.read_text(encoding="utf-8"), Counter[int]()
    with tempfile.TemporaryDirectory() as scratch:
        known = list(_known(seeds, Path(scratch)))
        for mutant in sample(text, count, seed=seeds.start):
            code = survives(mutant, known, Path(scratch))
            codes[code if code in {SURVIVES, BROKEN} else NOTICED] += 1
            if code == SURVIVES:
                print(f"SURVIVES {mutant.told(text)}", flush=True)
    print(
        f"{codes[SURVIVES]} of {codes.total() - codes[BROKEN]} changes were not noticed in {len(known)} scenarios "
        f"({codes[BROKEN]} more do not compile)"
    )
    return codes[SURVIVES]


def _known(seeds: range, folder: Path) -> Iterator[Known]:
    """The scenarios that run compiled, and what SimPy makes of them."""
    for seed in seeds:
        drawn = scenario_of(seed)
        loaded = load(drawn.write(folder / str(seed)))
        if not streamed(loaded, drawn.block, Engine.AUTO).ran.why:
            yield Known(drawn, streamed(loaded, drawn.block, Engine.SIMPY))


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--from", type=int, default=0, dest="first", help="the first seed")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--every", action="store_true", help="compare verdict and evidence of every scenario")
    parser.add_argument("--show", type=int, metavar="SEED", help="print this scenario")
    parser.add_argument("--smaller", type=int, metavar="SEED", help="print the smallest that still differs")
    parser.add_argument(
        "--mutants", type=int, metavar="N", help="change the kernel in N places, and find each from --count seeds"
    )
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.count)
    if asked.show is not None:
        print(shown(scenario_of(asked.show)), end="")
        return 0
    if asked.smaller is not None:
        print(smallest(asked.smaller), end="")
        return 0
    if asked.mutants is not None:
        return 1 if mutants(asked.mutants, seeds) else 0
    summary = equality(seeds, asked.jobs, every=asked.every)
    print(summary)
    return 1 if summary.different or summary.failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
