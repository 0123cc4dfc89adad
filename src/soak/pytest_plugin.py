"""The pytest plugin: runs of scenarios as tests. pytest loads it by its entry point; what soaks is imported when a test does.

`@pytest.mark.soak("scenarios/pr.yaml", tier="pr")` gives a test the fixtures `soak_run` and `verdict`. A scenario file that is
named on the command line, or matches the ini option `soak_files`, is collected: a test for each objective, law, alert, fault and
abort condition, and one for the verdict. What is INCONCLUSIVE fails: missing evidence never passes.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from soak.runner.opened import Run
    from soak.runner.pytest_runs import Wanted
    from soak.schemas.evidence.verdict import Verdict

_SUFFIXES = frozenset({".yaml", ".yml"})
_KEYS = ("version:", "system:", "workload:", "slos:", "include:")
_OPTIONS = frozenset({"tier", "seed", "target", "settings", "overlays", "target_options", "speed", "patience_s"})
_ALLOWED = "allow_inconclusive"
_JUDGED: "pytest.StashKey[tuple[Run, bool]]" = pytest.StashKey()
"""The run that a marked test asked for, and whether it may be INCONCLUSIVE."""
_MARKER = (
    f"soak(path, *, {', '.join(sorted(_OPTIONS))}, {_ALLOWED}=False): run this scenario for the test, once a session"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the command line, which hold for whatever a marker does not say."""
    group = parser.getgroup("soak", "soak scenarios")
    group.addoption("--soak-out", metavar="DIR", help="Folder for run directories. [default: pytest's temporary one]")
    group.addoption("--soak-target", metavar="NAME", help="Target of the scenarios. [default: simulation]")
    group.addoption("--soak-tier", metavar="NAME", help="Tier of the scenarios.")
    group.addoption("--soak-seed", metavar="N", type=int, help="Seed of the scenarios; replaces their own.")
    parser.addini("soak_files", "Scenario files to collect: patterns relative to the rootdir.", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; where `testpaths` says what is collected, `soak_files` are collected, too."""
    config.addinivalue_line("markers", _MARKER)
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args.extend(str(path) for path in sorted(_files(config)) if str(path) not in config.args)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Scenario files that were asked for."""
    if file_path.suffix not in _SUFFIXES:
        return None
    if file_path in _files(parent.config) or (parent.session.isinitpath(file_path) and _looks_like_one(file_path)):
        file: ScenarioFile = ScenarioFile.from_parent(parent, path=file_path)
        return file
    return None


def _files(config: pytest.Config) -> set[Path]:
    patterns: list[str] = config.getini("soak_files")
    return {path for pattern in patterns for path in config.rootpath.glob(pattern) if path.suffix in _SUFFIXES}


def _looks_like_one(path: Path) -> bool:
    """Whether it has keys of scenarios: other plugins collect YAML files of their own."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return sum(any(line.startswith(key) for line in lines) for key in _KEYS) >= 2


class ScenarioFile(pytest.File):
    """A scenario file; it is run when the first of its tests is."""

    def collect(self) -> Iterator["ScenarioCase"]:
        """A test for each check of its verdict. Nothing is run for that."""
        from soak.runner.pytest_runs import case_names
        from soak.schemas.errors import SoakError

        wanted = _wanted(self.config, self.path, {})
        try:
            names = case_names(wanted)
        except SoakError as error:
            raise self.CollectError(str(error)) from None
        for name in names:
            case: ScenarioCase = ScenarioCase.from_parent(self, name=name)
            case.wanted = wanted
            yield case


class ScenarioCase(pytest.Item):
    """One check of a verdict."""

    wanted: "Wanted"

    def runtest(self) -> None:
        """Fail unless it is PASS; skip what does not apply to the target."""
        from soak.runner.pytest_runs import cases_of, reason_of
        from soak.schemas.evidence.verdict import Status

        run = _run(self, self.wanted)
        check = cases_of(run.verdict).get(self.name)
        if check is None:
            raise NotPassedError(f"the verdict does not mention it\nevidence: {run.path}")
        if check.status is Status.NOT_APPLICABLE:
            pytest.skip(check.detail)
        if check.status is not Status.PASS:
            raise NotPassedError(f"{reason_of(run.verdict, check)}\nevidence: {run.path}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The reason; a traceback only of what is not one."""
        if isinstance(excinfo.value, NotPassedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Where it is from."""
        return self.path, None, f"{self.path.name}: {self.name}"


class NotPassedError(Exception):
    """A check that did not pass, or a run that failed."""


@pytest.fixture
def soak_run(request: pytest.FixtureRequest) -> "Run":
    """The run that the marker `soak` asks for. An INCONCLUSIVE one fails the test that does not say `allow_inconclusive=True`."""
    return _marked_run(request.node)


@pytest.fixture
def verdict(soak_run: "Run") -> "Verdict":
    """The verdict on the run that the marker `soak` asks for."""
    return soak_run.verdict


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The run of a marked test that takes neither fixture."""
    if item.get_closest_marker("soak") is not None and _is_alone(item):
        _marked_run(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """Fail a marked test by its verdict: without a fixture unless that is PASS, with one if it is INCONCLUSIVE."""
    found = item.stash.get(_JUDGED, None)
    if found is None:
        return
    run, allowed = found
    inconclusive = run.verdict.verdict.value == "INCONCLUSIVE"
    if (inconclusive and not allowed) or (run.verdict.verdict.exit_code and _is_alone(item)):
        pytest.fail(_words(run), pytrace=False)


def _is_alone(item: pytest.Item) -> bool:
    """Whether the verdict is all that a test is of: it takes no fixture that has it."""
    names: Iterable[str] = getattr(item, "fixturenames", ())
    return not {"soak_run", "verdict"}.intersection(names)


def pytest_itemcollected(item: pytest.Item) -> None:
    """With xdist and `--dist loadgroup`, tests of one run stay in one process, and others need not wait for it."""
    if not item.config.pluginmanager.hasplugin("xdist"):
        return
    if isinstance(item, ScenarioCase):
        item.add_marker(pytest.mark.xdist_group(str(item.path)))
    elif (marker := item.get_closest_marker("soak")) and not item.get_closest_marker("xdist_group"):
        item.add_marker(pytest.mark.xdist_group(repr((marker.args, sorted(marker.kwargs.items(), key=str)))))


def _marked_run(item: pytest.Item) -> "Run":
    marker = item.get_closest_marker("soak")
    if marker is None:
        pytest.fail('the fixtures soak_run and verdict need @pytest.mark.soak("SCENARIO.yaml")', pytrace=False)
    asked = dict(marker.kwargs)
    allowed = asked.pop(_ALLOWED, False)
    wrong = sorted(asked.keys() - _OPTIONS)
    if wrong or len(marker.args) != 1:
        what = "; ".join(map(_no_option, wrong)) or "it takes the path of one scenario"
        pytest.fail(f"@pytest.mark.soak: {what} (write {_MARKER.partition(': ')[0]})", pytrace=False)
    try:
        run = _run(item, _wanted(item.config, _found(item, marker.args[0]), asked))
    except NotPassedError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    item.stash[_JUDGED] = run, bool(allowed)
    return run


def _no_option(name: str) -> str:
    from soak.schemas.language.shape import did_you_mean

    return f"no option {name}: {did_you_mean(name, [*_OPTIONS, _ALLOWED])}"


def _words(run: "Run") -> str:
    reasons = "\n".join(run.verdict.reasons)
    return f"the verdict is {run.verdict.headline}\n{reasons}\nevidence: {run.path}"


def _found(item: pytest.Item, name: str) -> Path:
    """A scenario named in a marker: relative to the rootdir, or to the folder of the test."""
    places = [item.config.rootpath / name, item.path.parent / name]
    return next((path for path in places if path.exists()), places[0])


def _wanted(config: pytest.Config, path: Path, asked: Mapping[str, Any]) -> "Wanted":
    from soak.runner.pytest_runs import Wanted

    options = {name: config.getoption(f"--soak-{name}") for name in ("tier", "seed", "target")}
    given = {name: value for name, value in {**options, **asked}.items() if value is not None}
    if "overlays" in given:
        given["overlays"] = tuple(map(str, given["overlays"]))
    return Wanted(path, **given)


def _run(item: pytest.Item, wanted: "Wanted") -> "Run":
    """The run, with its place among the properties of the test. Raises NotPassedError where there is none."""
    from soak.runner.pytest_runs import run_once
    from soak.schemas.errors import SoakError

    remarks: list[str] = []
    shared = _shared(item.config)
    out = item.config.getoption("--soak-out")
    try:
        run = run_once(wanted, shared, shared if out is None else item.config.rootpath / out, remarks.append)
        told = [("soak_verdict", run.verdict.headline), ("soak_run", str(run.path))]
    except SoakError as error:
        raise NotPassedError(str(error)) from None
    item.user_properties.extend(told)
    if remarks:
        item.add_report_section("call", "soak", "\n".join(remarks))
    return run


def _shared(config: pytest.Config) -> Path:
    """A folder that all processes of this session have in common."""
    own: Path = config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
    worker: Mapping[str, Any] | None = getattr(config, "workerinput", None)
    return own / "soak" if worker is None else own.parent / f"soak-{worker['testrunuid']}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Where the evidence is, a line for each run."""
    reports = [each for reports in terminalreporter.stats.values() for each in reports]
    properties = [dict(getattr(each, "user_properties", ())) for each in reports]
    runs = {each["soak_run"]: each["soak_verdict"] for each in properties if "soak_run" in each}
    if runs:
        terminalreporter.section("soak")
        for path, headline in sorted(runs.items()):
            terminalreporter.line(f"{headline}: {path}")
