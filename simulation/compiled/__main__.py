"""`python -m soak.simulation.compiled`: where the library of each C source is, built now where it can be, or why there is none.

`--into-package` builds them beside their sources instead, where they are found first: for wheels and images that are used
where there is no compiler. Exit codes: 0 all are there, 1 one is not, 2 wrong usage.
"""

import sys
from pathlib import Path

from soak.simulation.compiled.library import Unavailable, build, find

_PACKAGE = Path(__file__).parents[2]
_INTO = "--into-package"


def sources() -> list[Path]:
    """The C sources of compiled parts, in all rooms of the package: those that include `soak.h`."""
    found = [path for room in _PACKAGE.iterdir() if room.is_dir() for path in room.rglob("*.c")]
    return sorted(path for path in found if b'#include "soak.h"' in path.read_bytes())


def _beside(source: Path) -> Path:
    before = set(source.parent.glob(f"{source.stem}-*.so"))
    built = build(source, source.parent)
    for each in before - {built}:
        each.unlink()
    return built


def main(words: list[str]) -> int:
    """Print a line for each source; returns the exit code."""
    if words not in ([], [_INTO]):
        sys.stderr.write(f"usage: python -m soak.simulation.compiled [{_INTO}]\n")
        return 2
    complete = True
    for source in sources():
        try:
            told = str((_beside if words else find)(source))
        except Unavailable as why:
            told, complete = f"not built: {why}", False
        sys.stdout.write(f"{source.relative_to(_PACKAGE)}: {told}\n")
    return 0 if complete else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
