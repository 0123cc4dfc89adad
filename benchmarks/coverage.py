"""How often intervals hold the truth and tests are right: `python benchmarks/coverage.py [--runs 200] [intervals growth …]`.

Every module `coverage_<name>.py` beside this one has experiments of known truth. The table goes to standard output as Markdown;
`docs/statistics.md` has the figures of the last whole run.
"""

import argparse
import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names() -> list[str]:
    """The experiments there are."""
    return sorted(path.stem.removeprefix("coverage_") for path in HERE.glob("coverage_*.py"))


def share(value: float | None) -> str:
    """A share for the table."""
    return "" if value is None else f"{100 * value:.1f} %"


def main() -> None:
    """Run the experiments named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*names(), []], help="experiments (default: all)")
    parser.add_argument("--runs", type=int, default=200, help="runs of each case")
    arguments = parser.parse_args()
    sys.path.insert(0, str(HERE))
    print("| statement | case | wanted | before | now | statements made | runs |\n|---|---|---|---:|---:|---:|---:|")
    for name in arguments.names or names():
        for row in importlib.import_module(f"coverage_{name}").rows(arguments.runs):
            cells = (share(row.before), share(row.after), share(row.stated), row.runs)
            print(f"| {row.statement} | {row.case} | {row.wanted} |", " | ".join(map(str, cells)), "|", flush=True)


if __name__ == "__main__":
    main()
