"""Does a test go red when the code is wrong? `python benchmarks/mutants.py [--count 200] [--only judge/gain.py] [-- TESTS]`.

Changes one place of `runner/judge` at a time (a comparison, a sign, a constant, a condition, a statement left out) and runs the
judge's tests on it. No file is changed: a child process gets the changed code. What no test noticed is printed: some of it makes
no difference, the rest lacks a test. A sample is drawn from the seed, each module in proportion to its size.
"""

import argparse
import ast
import copy
import importlib
import inspect
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "soak" / "runner"
TESTS = ("tests/unit/judge", "tests/unit/calls")
TERMINAL = os.dup(1)

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Pow: ast.Mult,
}
CALLED = {"max": "min", "min": "max", "setdefault": "__setitem__", "maximum": "minimum", "minimum": "maximum"}
Change = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Mutant:
    """One change of a module: which node in `ast.walk`'s order, and what becomes of it."""

    path: Path
    node: int
    change: Change
    line: int
    words: str

    @property
    def module(self) -> str:
        """The name it is imported by."""
        return ".".join(("soak", "runner", *self.path.relative_to(SOURCE).with_suffix("").parts))

    def compiled(self) -> CodeType:
        """The changed module."""
        tree = ast.parse(self.path.read_text(encoding="utf-8"))
        found = list(ast.walk(tree))[self.node]
        changed = _Replaced(found, self.change(found)).visit(tree)
        return compile(ast.fix_missing_locations(changed), str(self.path), "exec")


class _Replaced(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return ast.copy_location(self._new, node) if node is self._old else self.generic_visit(node)


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every change of a module that we know how to make."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed_over = {id(node) for node in _no_code(tree)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in passed_over:
            continue
        for change in _changes(node):
            old, new = _short(node), _short(change(node))
            yield Mutant(path, number, change, getattr(node, "lineno", 0), f"{old}  ->  {new}")


def _no_code(tree: ast.AST) -> Iterator[ast.AST]:
    """Annotations, decorators, docstrings and words for people."""
    for node in ast.walk(tree):
        apart = [
            getattr(node, "annotation", None),
            getattr(node, "returns", None),
            *getattr(node, "decorator_list", []),
        ]
        if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
            apart.append(node)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            apart.append(node)
        if isinstance(node, ast.ClassDef):  # defaults of fields: they are in what the decorator has made of them
            apart += [each for each in node.body if isinstance(each, ast.AnnAssign)]
        for each in filter(None, apart):
            yield from ast.walk(each)


def _changes(node: ast.AST) -> Iterator[Change]:  # noqa: PLR0912
    match node:
        case ast.Compare(ops=[op]):
            for other in COMPARED[type(op)]:
                yield lambda node, other=other: _with(node, ops=[other()])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in CALCULATED:
            yield lambda node: _with(node, op=CALCULATED[type(node.op)]())
        case ast.BoolOp(op=op):
            yield lambda node: _with(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
        case ast.UnaryOp(op=ast.Not() | ast.Invert() | ast.USub()):
            yield lambda node: node.operand
        case ast.Constant(value=bool()):
            yield lambda node: ast.Constant(not node.value)
        case ast.Constant(value=int() | float()):
            yield lambda node: ast.Constant(node.value + 1)
        case ast.If() | ast.IfExp() | ast.While():
            yield lambda node: _with(node, test=ast.Constant(False))
            if not isinstance(node, ast.While):
                yield lambda node: _with(node, test=ast.Constant(True))
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in CALLED:
            yield _called_otherwise
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Continue() | ast.Break():
            yield lambda _: ast.Pass()
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]):
            yield lambda _: ast.Pass()
        case ast.Call(func=ast.Name(id="all" | "any" as name)):
            yield lambda node: _with(node, func=ast.Name("any" if node.func.id == "all" else "all", ast.Load()))


def _called_otherwise(node: ast.AST) -> ast.AST:
    changed = copy.deepcopy(node)
    assert isinstance(changed, ast.Call)
    if isinstance(changed.func, ast.Name):
        changed.func.id = CALLED[changed.func.id]
    elif isinstance(changed.func, ast.Attribute):
        changed.func.attr = CALLED[changed.func.attr]
    return changed


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """A copy of a node with other fields; the rest of the tree is shared, so that parts of it keep their identity."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _short(node: ast.AST) -> str:
    return " ".join(ast.unparse(ast.fix_missing_locations(copy.deepcopy(node))).split())[:90]


def put_in_place(mutant: Mutant) -> None:
    """Give the functions of the imported module the changed code, wherever else they have been imported to."""
    module = sys.modules.get(mutant.module) or importlib.import_module(mutant.module)
    before = dict(vars(module))
    changed: dict[str, object] = {"__name__": mutant.module, "__file__": str(mutant.path)}
    exec(mutant.compiled(), changed)
    for name, old in before.items():
        new = changed.get(name)
        if isinstance(old, type) and isinstance(new, type) and old.__module__ == mutant.module:
            for each, member in vars(old).items():
                _give_code(member, vars(new).get(each))
        elif getattr(old, "__module__", None) == mutant.module:
            _give_code(old, new)
        elif not name.startswith("__") and not isinstance(old, type | ModuleType) and not callable(old):
            _give_value(name, old, new)


def _give_code(old: object, new: object) -> None:
    if isinstance(old, property) and isinstance(new, property):
        old, new = old.fget, new.fget
    old, new = inspect.unwrap(getattr(old, "__func__", old)), inspect.unwrap(getattr(new, "__func__", new))
    if (
        isinstance(old, FunctionType)
        and isinstance(new, FunctionType)
        and len(old.__code__.co_freevars) == len(new.__code__.co_freevars)
    ):
        old.__code__, old.__defaults__, old.__kwdefaults__ = new.__code__, new.__defaults__, new.__kwdefaults__


def _give_value(name: str, old: object, new: object) -> None:
    for each in [each for key, each in sys.modules.items() if key.startswith("soak.")]:
        if vars(each).get(name) is old:
            setattr(each, name, new)


class Loop:
    """A plugin of pytest: runs what was collected once for each mutant, in a child process that ends with the first failure."""

    def __init__(self, mutants: Mapping[int, Mutant], most_cpu_s: float) -> None:
        self.mutants = mutants
        self._most_cpu_s = most_cpu_s
        self._took_s: dict[str, float] = {}
        self.survivors: list[Mutant] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long a test took."""
        self._took_s[report.nodeid] = self._took_s.get(report.nodeid, 0.0) + report.duration

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """All mutants, in place of all tests. Every test runs once without any change: what fails then can show nothing."""
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            raise session.Failed("the tests fail without any change: nothing can be learnt from them")
        quick_first = sorted(session.items, key=lambda item: self._took_s[item.nodeid])
        for number, mutant in self.mutants.items():
            if alive := self._survives(mutant, session, quick_first):
                self.survivors.append(mutant)
            name = mutant.path.relative_to(SOURCE)
            say(f"{number:4} {'SURVIVES' if alive else 'noticed '} {name}:{mutant.line}: {mutant.words}")
        return True

    def _survives(self, mutant: Mutant, session: pytest.Session, items: Sequence[pytest.Item]) -> bool:
        """Whether the tests pass all the same; a change with which they take too long is noticed."""
        child = os.fork()
        if not child:
            code = 70
            try:
                code = self._in_child(mutant, session, items)
            finally:
                os._exit(code)
        return os.waitpid(child, 0)[1] == 0

    def _in_child(self, mutant: Mutant, session: pytest.Session, items: Sequence[pytest.Item]) -> int:
        most = 20 + int(2 * self._most_cpu_s)
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
        put_in_place(mutant)
        until = time.process_time() + self._most_cpu_s
        for item in items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if session.testsfailed:
                return 1
            if time.process_time() > until:
                break
        return 0


def say(line: str) -> None:
    """A line of ours, past pytest's capturing."""
    os.write(TERMINAL, f"{line}\n".encode())


def sample(count: int, seed: int, only: Sequence[str]) -> list[Mutant]:
    """So many changes, of every module in proportion to how many it has."""
    paths = [SOURCE / each for each in only] or sorted((SOURCE / "judge").rglob("*.py"))
    every = {path: list(mutants_of(path)) for path in paths}
    total = sum(map(len, every.values()))
    draw = random.Random(seed)
    share = min(1.0, count / total)
    chosen = [
        each
        for found in every.values()
        for each in draw.sample(found, min(len(found), -(-len(found) * count // total)))
    ]
    draw.shuffle(chosen)
    print(f"{len(chosen)} of {total} changes ({share:.0%}) in {len(paths)} modules, seed {seed}")
    return chosen


def main() -> int:
    """Says what survived; exit code 1 if anything did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="modules below runner/, such as judge/gain.py")
    parser.add_argument(
        "--most-cpu", type=float, default=300.0, help="seconds for one change; the quick tests come first"
    )
    parser.add_argument(
        "--numbers", nargs="*", type=int, help="only these of the sample, such as those that survived others"
    )
    parser.add_argument("tests", nargs="*", default=[], help="arguments of pytest in place of the judge's tests")
    wish = parser.parse_args()
    os.chdir(ROOT)
    chosen = dict(enumerate(sample(wish.count, wish.seed, wish.only), start=1))
    chosen = {number: chosen[number] for number in wish.numbers or chosen}
    loop, began = Loop(chosen, wish.most_cpu), time.monotonic()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    quiet = ["-n", "0", "-q", "--tb=no", "-p", "no:cacheprovider"]
    if code := pytest.main([*quiet, *(wish.tests or TESTS)], plugins=[loop]):
        say(f"the tests fail without any change: nothing can be learnt from them (exit code {code} of pytest)")
        return 2
    say(f"{len(loop.survivors)} of {len(loop.mutants)} were not noticed ({time.monotonic() - began:.0f} s)")
    return 1 if loop.survivors else 0


if __name__ == "__main__":
    raise SystemExit(main())
