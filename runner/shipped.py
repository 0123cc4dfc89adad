"""The scenarios and gates that come with soak: working examples, by name."""

from collections import Counter
from pathlib import Path

from soak.schemas.errors import UsageError, quoted
from soak.schemas.language.shape import did_you_mean

_PACKAGE = Path(__file__).parents[1]
SCENARIOS, GATES = _PACKAGE / "scenarios", _PACKAGE / "gates"
SELFTEST = SCENARIOS / "selftest"
TRUTHS = SCENARIOS / "truths"


def names() -> dict[str, Path]:
    """Every scenario by its place, such as `72h` or `failures/disk-full`, and every gate, such as `gates/pr`."""
    scenarios = {path.relative_to(SCENARIOS).with_suffix("").as_posix(): path for path in SCENARIOS.rglob("*.yaml")}
    gates = {f"gates/{path.stem}": path for path in GATES.glob("*.yaml")}
    return dict(sorted({**scenarios, **gates}.items()))


def find(name: str) -> Path:
    """The file of that name; the last word of it will do where only one has it. Raises UsageError that lists them all."""
    known = names()
    last = Counter(path.stem for path in known.values())
    short = {path.stem: path for path in known.values() if last[path.stem] == 1}
    asked = name.removeprefix("scenarios/").removesuffix(".yaml")
    if asked in known or asked in short:
        return known.get(asked) or short[asked]
    near = did_you_mean(asked, [*known, *short])
    guess = f"{near} " if near.endswith("?") else ""
    raise UsageError(f"no shipped scenario or gate {quoted(name)} ({guess}write one of: {', '.join(known)})")


def is_gate(path: Path) -> bool:
    """Whether a shipped file is a gate, and not a scenario."""
    return path.parent == GATES
