"""House rules: how long modules and functions may be, what is banned and what to use instead, scenarios that load."""

import ast
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from soak.schemas.language.load import load
from soak.schemas.language.registry import OURS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("schemas", "simulation", "runner", "reports", "src")
CODE = (*PACKAGES, "systems", "tests", "docs", "benchmarks")
TEXT = {".py", ".toml", ".yaml", ".yml", ".json", ".j2", ".md", ".cfg", ".ini"}
MODULE_LINES, FUNCTION_LINES = 400, 40

LONG_MODULES: Mapping[str, int] = {}
"""Modules that are longer, and how long each may be. The list only shrinks."""

LONG_FUNCTIONS: Mapping[str, int] = {}
"""Functions that are longer, and how long each may be. The list only shrinks."""


@dataclass(frozen=True)
class Ban:
    """A name that must not be used in `folders`, but in the files `allowed`, and what to use instead."""

    name: str
    instead: str
    folders: tuple[str, ...] = CODE
    allowed: tuple[str, ...] = ()


MODEL = ("simulation",)
BANS = (
    Ban(r"random(\..+)?", "a stream by name: soak.simulation.streams.Stream", MODEL),
    Ban(r"numpy\.random\.[a-z_]+", "a stream by name: soak.simulation.streams.Stream", MODEL),
    Ban(
        r"time\.(time|monotonic|perf_counter|process_time)(_ns)?|time\.sleep", "the clock of the model: env.now", MODEL
    ),
    Ban(r"datetime\.datetime\.(now|utcnow|today)|datetime\.date\.today", "the clock of the model: env.now", MODEL),
    Ban(r"print", "click.echo in a command, or nothing", tuple({*CODE} - {"docs", "benchmarks"})),
    Ban(r"sys\.exit", "an error of soak.schemas.errors, or an exit code returned", CODE, ("runner/cli/__init__.py",)),
)
DATACLASSES = {"schemas/errors.py", "schemas/versions_seen.py"}
"""Modules whose frozen dataclasses are no structs: `soak --help` loads them, and click alone of others' packages."""

_NO_STRUCT = re.compile(r"\b(?:compare|init|repr)=False|cached_property")
"""What a dataclass can and a struct cannot."""

READ_BACK: Mapping[str, int] = {"runner/targets/caller.py": 1}
"""Modules that take apart a text meant for people, and in how many places. The list only shrinks."""

_TEXTS = frozenset({"reasons", "objective", "when", "detail", "problem", "problems", "note", "remedy"})
"""What holds such a text: a reason, or what an objective or a condition is, as it was written."""

_TAKING_APART = frozenset(
    [
        "split",
        "rsplit",
        "partition",
        "rpartition",
        "startswith",
        "endswith",
        "removeprefix",
        "removesuffix",
        "find",
        "index",
    ]
)
TEMPLATE_READS_BACK = re.compile(
    rf"\b(?:{'|'.join(sorted(_TEXTS))}|reason)(?:\[[^]]*\])?\.(?:{'|'.join(sorted(_TAKING_APART))})\("
)
MACHINE_PATH = re.compile(
    r"(?<![\w.$/~-])/(?:home|Users|root|work|tmp)/[\w.-]+|(?<=[\"'])/(?:work|tmp|root)/?(?=[\"'])"
)


WORDING = {
    r"\bstands twice\b": "is duplicated",
    r"\bso many\b": "the number, or: that many",
    r"\bwhoever\b": "say who, or leave it out",
    r"(?<!there )\bis no (?!longer\b|more\b)\w": "is not a",
    r"\bnone to be seen\b": "no trend",
    r"\bcomes? along\b": "bundled",
    r"\b(?:taken|took|takes) in\b": "accepted",
    r"\b(?:went|goes|ended) well\b": "succeeded",
    r"\bfaults? by time\b": "scheduled fault",
    r"\bunder way\b": "in flight, in progress",
    r"\bmend (?:the|that|it)\b": "fix, correct",
    r"\bmoving window\b": "sliding window",
    r"\btries that failed\b": "failed attempts",
    r"\b(?:broke|breaks) off\b": "failed midway, is incomplete",
    r"\bfor good\b": "permanently",
    r"\bwas gone\b": "was down, died",
}
"""Phrases that read as if translated, and what the field says."""

WORDED_ELSEWHERE = re.compile(
    r"runner/(calibrate|compare|limits|parity|power|predict|replications)/|runner/incident\.py|reports/prediction\.py"
    r"|reports/plots/(held_back|prediction)\.py|reports/templates/(changes|what_if)\.md|schemas/(evidence/)?(calibration|changes)\."
    r"|docs/(calibration|limits|power|prediction|what-if)\.md"
)
"""Files that still have some of these phrases (or, `incident`, read them in older evidence). The list only shrinks."""


def clumsy(path: str, text: str) -> list[str]:
    """Where a text has a phrase of WORDING, and what to write instead."""
    return [
        f"{path}:{number}: {found[0]!r} (write: {better})"
        for phrase, better in WORDING.items()
        for number, line in enumerate(text.splitlines(), 1)
        for found in re.finditer(phrase, line, re.IGNORECASE)
    ]


def modules(*folders: str) -> dict[str, str]:
    """The source of every module in `folders`, by its path from the top."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Every function of a module by its qualified name, and how many lines it has."""
    yield from _functions(ast.parse(source), "")


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        inner = prefix
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{prefix}{child.name}."
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + child.name, (child.end_lineno or child.lineno) - child.lineno + 1
        yield from _functions(child, inner)


def names_used(source: str) -> Iterator[tuple[int, str]]:
    """Everything a module imports or calls by a name it has imported, in full, and `print`; with line numbers."""
    tree = ast.parse(source)
    aliases = {"print": "print"}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        module = f"{node.module}." if isinstance(node, ast.ImportFrom) and node.module else ""
        for alias in node.names:
            # `import a.b` binds `a`; `import a.b as c` and `from a import b` bind the whole name.
            bound = alias.name if module or alias.asname else alias.name.partition(".")[0]
            aliases[alias.asname or bound] = module + bound
            yield node.lineno, module + alias.name
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name) and (name := _dotted(node, aliases)):
            yield node.lineno, name


def _dotted(node: ast.expr, aliases: Mapping[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value, aliases)
        return left and f"{left}.{node.attr}"
    return aliases.get(node.id, "") if isinstance(node, ast.Name) else ""


def broken_bans(path: str, source: str) -> list[str]:
    """Where a module uses what is banned in its folder."""
    bans = [ban for ban in BANS if path.partition("/")[0] in ban.folders and path not in ban.allowed]
    found = {
        (line, name, ban.instead) for line, name in names_used(source) for ban in bans if re.fullmatch(ban.name, name)
    }
    return [f"{path}:{line}: {name} is banned here: use {instead}" for line, name, instead in sorted(found)]


def needless_dataclasses(source: str) -> Iterator[str]:
    """The frozen dataclasses that could be structs, whose classes are made in a fraction of the time."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and not _NO_STRUCT.search(ast.unparse(node)):
            yield from (node.name for each in node.decorator_list if "frozen=True" in ast.unparse(each))


def empty_promises(path: str, source: str) -> list[str]:
    """Where a module swallows every error, or asserts nothing."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and _catches_all(node) and isinstance(node.body[0], ast.Pass):
            found.append(f"{path}:{node.lineno}: swallows every error: name the one that may be passed over")
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and node.test.value:
            found.append(f"{path}:{node.lineno}: asserts nothing: say what must be true")
    return found


def _catches_all(node: ast.ExceptHandler) -> bool:
    return node.type is None or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})


def tracked() -> list[str]:
    """The text files that git tracks; all that are there outside a checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = (
        done.stdout.split("\0") if done.returncode == 0 else [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
    )
    return sorted(name for name in found if Path(name).suffix in TEXT and (ROOT / name).is_file())


# Sizes.


def over(sizes: Mapping[str, int], limit: int, exceptions: Mapping[str, int]) -> list[str]:
    """What is longer than it may be, and exceptions that are not needed any more."""
    allowed = {name: exceptions.get(name, limit) for name in sizes}
    long = [f"{name}: {size} lines, at most {allowed[name]}" for name, size in sizes.items() if size > allowed[name]]
    needless = [name for name in exceptions if sizes.get(name, 0) <= limit]
    return long + [f"{name}: needs no exception any more, remove it" for name in needless]


def test_modules_are_short() -> None:
    sizes = {path: source.count("\n") for path, source in modules(*PACKAGES).items()}
    assert over(sizes, MODULE_LINES, LONG_MODULES) == []


def test_functions_are_short() -> None:
    sizes = {f"{path}:{name}": size for path, source in modules(*PACKAGES).items() for name, size in functions(source)}
    assert over(sizes, FUNCTION_LINES, LONG_FUNCTIONS) == []


def test_sizes_are_measured() -> None:
    source = (
        "class A:\n    def f(self):\n        def g():\n            pass\n        return g\n\n\nasync def h(): ...\n"
    )
    assert dict(functions(source)) == {"A.f": 4, "A.f.g": 2, "h": 1}
    assert over({"a": 5, "b": 3}, 4, {}) == ["a: 5 lines, at most 4"]
    assert over({"a": 5, "b": 3}, 4, {"a": 10}) == []
    assert over({"a": 11}, 4, {"a": 10}) == ["a: 11 lines, at most 10"]
    assert over({"a": 4}, 4, {"a": 10, "gone": 9}) == [
        "a: needs no exception any more, remove it",
        "gone: needs no exception any more, remove it",
    ]


# Bans.


@pytest.mark.parametrize("folder", CODE)
def test_nothing_banned_is_used(folder: str) -> None:
    assert [where for path, source in modules(folder).items() for where in broken_bans(path, source)] == []


@pytest.mark.parametrize("folder", ["schemas", "simulation", "runner", "reports"])
def test_what_never_changes_is_a_struct(folder: str) -> None:
    found = {path: list(needless_dataclasses(source)) for path, source in modules(folder).items()}
    assert {path: names for path, names in found.items() if names and path not in DATACLASSES} == {}


def test_a_dataclass_that_could_be_a_struct_is_found() -> None:
    could = "@dataclass(frozen=True, slots=True)\nclass A:\n    a: int = 0\n"
    changes = "@dataclass(slots=True)\nclass B:\n    b: int\n"
    cannot = "@dataclass(frozen=True)\nclass C:\n    c: int = field(compare=False)\n"
    assert list(needless_dataclasses(could + changes + cannot)) == ["A"]


@pytest.mark.parametrize("folder", CODE)
def test_no_error_is_swallowed_and_no_assertion_is_empty(folder: str) -> None:
    assert [where for path, source in modules(folder).items() for where in empty_promises(path, source)] == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import random", "random"),
        ("from random import choice", "random.choice"),
        ("import numpy as np\nnp.random.seed(1)", "numpy.random.seed"),
        ("import numpy\nx = numpy.random.rand(3)", "numpy.random.rand"),
        ("from numpy.random import normal", "numpy.random.normal"),
        ("import time\ntime.time()", "time.time"),
        ("from time import monotonic as now", "time.monotonic"),
        ("from datetime import datetime\ndatetime.now()", "datetime.datetime.now"),
        ("import datetime as dt\ndt.datetime.now()", "datetime.datetime.now"),
        ("print('x')", "print"),
        ("import sys\nsys.exit(1)", "sys.exit"),
    ],
)
def test_a_ban_is_found_in_the_model(source: str, name: str) -> None:
    found = broken_bans("simulation/queue.py", source)
    assert [f" {name} is banned here" in where for where in found] == [True]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("simulation/streams.py", "import numpy as np\nnp.random.Generator(np.random.Philox(1)).random(3)"),
        ("simulation/queue.py", "import datetime\ndatetime.timedelta(1)\nrandom = 1"),
        ("runner/session.py", "import time\ntime.monotonic()"),
        ("runner/cli/__init__.py", "import sys\nsys.exit(0)"),
        ("benchmarks/bench.py", "print(1)"),
    ],
)
def test_what_is_not_banned_is_not_found(path: str, source: str) -> None:
    assert broken_bans(path, source) == []


@pytest.mark.parametrize(
    "source",
    ["try:\n    f()\nexcept Exception:\n    pass", "try:\n    f()\nexcept:\n    pass", "assert True", "assert 1, 'x'"],
)
def test_an_empty_promise_is_found(source: str) -> None:
    assert len(empty_promises("a.py", source)) == 1


def test_a_named_error_may_be_passed_over() -> None:
    assert empty_promises("a.py", "try:\n    f()\nexcept OSError:\n    pass\nassert f()") == []


def test_no_tracked_file_names_a_path_of_a_machine() -> None:
    found = []
    for name in tracked():
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), start=1):
            found += [f"{name}:{number}: {match[0]}" for match in MACHINE_PATH.finditer(line)]
    assert found == []


def test_a_path_of_a_machine_is_found() -> None:
    top = "/"
    for path in ("home/ann", "Users/ann/x", "root/.cache", "work/out.json", "tmp/x"):
        assert MACHINE_PATH.search(f'open("{top}{path}")'), path
        assert MACHINE_PATH.search(f"see {top}{path}."), path
    assert MACHINE_PATH.search(f'Path("{top}tmp")')
    inside = "/".join(("a", "work", "b"))
    for text in ("#/$defs/workload", "runs/tmp/x", f"https://example.org{top}home{top}x", inside, "tmp_path / 'x'"):
        assert not MACHINE_PATH.search(text), text


# Texts meant for people are not read back: a reason has a kind and a subject, an objective has its SLI, an error its class.


def read_back(source: str) -> Iterator[int]:
    """The lines at which a module takes a text apart that is meant for people, or looks for words in it."""
    tree = ast.parse(source)
    named = {"reason"} | {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.For | ast.comprehension)
        and isinstance(node.target, ast.Name)
        and isinstance(node.iter, ast.Attribute)
        and node.iter.attr == "reasons"
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=text, attr=method)) if method in _TAKING_APART:
                taken = text
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[text], left=ast.Constant(value=str())):
                taken = text
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re")), args=[_, text, *_]):
                taken = text
            case _:
                continue
        if _is_a_text(taken, named):
            yield node.lineno


def _is_a_text(node: ast.expr, named: set[str]) -> bool:
    match node:
        case ast.Subscript(value=inner):
            return _is_a_text(inner, named)
        case ast.Attribute(attr=name):
            return name in _TEXTS
        case ast.Name(id=name):
            return name in named
        case ast.Call(func=ast.Name(id="str"), args=[ast.Name(id=name)]):
            return name in {"error", "problem", "reason"}
    return False


def test_no_text_for_people_is_read_back() -> None:
    folders = ("schemas", "simulation", "runner", "reports", "systems", "benchmarks")
    found = {path: lines for path, source in modules(*folders).items() if (lines := list(read_back(source)))}
    assert over({path: len(lines) for path, lines in found.items()}, 0, READ_BACK) == [], found
    templates = {path: path.read_text(encoding="utf-8") for path in (ROOT / "reports").rglob("*.j2")}
    assert templates
    assert [path.name for path, text in templates.items() if TEMPLATE_READS_BACK.search(text)] == []


@pytest.mark.parametrize(
    "source",
    [
        "unit = units[objective.objective.split()[0]]",
        'busy = any("fell behind" in each for each in verdict.reasons)',
        'busy = any(each.startswith("inconclusive") for each in verdict.reasons)',
        'for each in verdict.reasons:\n    each.partition(" is worse")',
        'told = [reason for reason in reasons if not reason.partition(" is worse")[1]]',
        'limits = [each for each in aborts if each.when.startswith("success_rate")]',
        'first = verdict.reasons[0].removeprefix("inconclusive: ")',
        'if " is of version " in str(error):\n    raise',
        'what, _, remedy = str(error).partition(" (")',
        're.match("objective (.*) is broken", verdict.reasons[0])',
    ],
)
def test_a_text_that_is_read_back_is_found(source: str) -> None:
    assert len(list(read_back(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        'name.startswith("w")\nsetting.partition("=")',
        'unit = units[objective.sli]\nlines = [f"- {reason}" for reason in verdict.reasons]',
        "busy = any(each.kind is ReasonKind.LATENESS for each in verdict.typed_reasons)",
        "name in verdict.reasons",
    ],
)
def test_what_is_not_read_back_is_not_found(source: str) -> None:
    assert list(read_back(source)) == []


def test_a_template_that_reads_back_is_found() -> None:
    assert TEMPLATE_READS_BACK.search("{{ shown(slis[o.objective.split()[0]].unit) }}")
    assert TEMPLATE_READS_BACK.search('{% if verdict.reasons[0].startswith("inconclusive") %}')
    assert not TEMPLATE_READS_BACK.search("{% for reason in verdict.reasons %}{{ o.objective | code }}")


# Scenarios.

SCENARIOS = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "scenarios").rglob("*.y*ml"))


@pytest.mark.parametrize("path", SCENARIOS)
def test_a_shipped_scenario_loads(path: str) -> None:
    assert load(ROOT / path).scenario.name


PATCHES = re.compile(r"""^\s*(?:from|import) (?:locust|gevent)\b|importorskip\(["'](?:locust|gevent)""", re.MULTILINE)


def test_no_test_imports_what_patches_its_process() -> None:
    """Locust replaces threads and sockets of the process that imports it: then the process of the tests waits for ever."""
    found = [
        path
        for path in (ROOT / "tests").rglob("*.py")
        if path.name != "test_tidy.py" and PATCHES.search(path.read_text())
    ]
    assert found == []
    assert PATCHES.search('import os\npytest.importorskip("locust")') and PATCHES.search("    from gevent import sleep")


def test_scenarios_are_shipped() -> None:
    assert SCENARIOS


# Systems. Nothing outside its rooms knows a system by name.

ROOMS = re.compile(rf"(schemas/systems|simulation|runner/judge|runner/targets|reports)/({'|'.join(OURS)})/")
KNOWS_A_SYSTEM: Mapping[str, str] = {
    "schemas/language/registry.py": "lists the systems that come along",
    "schemas/stream/identity.py": "the target `calls` had another name",
    "runner/extras.py": "names the extra that the target `calls` needs",
    "runner/cli/target.py": "checks classes, which the system queue attaches",
    "src/soak/testing.py": "checks classes, which the system queue attaches",
    "runner/calibrate/attempts.py": "calibrates the model of the system queue",
    "runner/calibrate/draws.py": "calibrates the model of the system queue",
    "runner/calibrate/shares.py": "calibrates the model of the system queue",
    "runner/calibrate/timing.py": "calibrates the model of the system queue",
}
"""Modules that know one all the same, and why. The list only shrinks."""


def systems_named(path: str, source: str) -> list[str]:
    """Where a module outside of the rooms names a system, or imports from its rooms."""
    if ROOMS.match(path):
        return []
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and node.value in OURS:
            found.append(f"{path}:{node.lineno}: names the system {node.value}: ask the registry")
        if isinstance(node, ast.ImportFrom) and ROOMS.match(f"{node.module}/".removeprefix("soak.").replace(".", "/")):
            found.append(f"{path}:{node.lineno}: imports from the room {node.module}: ask the registry")
    return found


def test_nothing_outside_its_rooms_knows_a_system() -> None:
    found = {path: systems_named(path, source) for path, source in modules(*PACKAGES).items()}
    wrong = [where for path, places in found.items() if path not in KNOWS_A_SYSTEM for where in places]
    assert wrong == []
    assert [path for path in KNOWS_A_SYSTEM if not found[path]] == [], "needs no exception any more"


def test_a_system_that_is_named_is_found() -> None:
    assert len(systems_named("runner/a.py", 'if scenario.system == "calls": pass')) == 1
    assert len(systems_named("runner/a.py", "from soak.simulation.queue.model import QueueModel")) == 1
    assert systems_named("simulation/queue/a.py", 'x = "queue"') == []


@pytest.mark.parametrize("name", ["Row", "Count", "Change", "Snapshot"])
def test_a_name_that_had_many_meanings_has_one(name: str) -> None:
    definition = re.compile(rf"^(?:class {name}\b|{name}\b[^=\n]* = )", re.MULTILINE)
    found = [path for path, source in modules(*PACKAGES, "systems").items() if definition.search(source)]
    assert len(found) <= 1, found


def test_words_are_those_of_the_field() -> None:
    """Messages, help texts, templates, schemas, documents, docstrings."""
    worded = [
        name
        for name in tracked()
        if name.startswith((*(f"{folder}/" for folder in PACKAGES), "systems/", "docs/", "gates/", "README.md"))
        and not WORDED_ELSEWHERE.match(name)
    ]
    assert len(worded) > 200
    assert [where for name in worded for where in clumsy(name, (ROOT / name).read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("the name 'a' stands twice", 1),
        ("'x' is no duration, whoever wrote it", 2),
        ("there is no run; it is no longer needed", 0),
        ("the share of calls that went well", 1),
    ],
)
def test_a_clumsy_phrase_is_found(text: str, found: int) -> None:
    assert len(clumsy("a.md", text)) == found
