"""The pytest plugin: runs as tests, in a pytest of their own."""

import importlib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import soak
from soak.runner import pytest_runs
from soak.runner.pytest_runs import Wanted, case_names, cases_of

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
SCENARIO = """
version: 1
name: short
system: queue
duration: 30m
seed: 1
workload: {arrivals: {rate: 30/min}, task: {duration: {distribution: constant, value: 4s}}}
queue: {workers: 4}
slos: [success_rate >= 90%, latency_p95 <= 1m]
abort: [{name: broken, when: success_rate < 50%, window: 10m}]
tiers: {slow: {queue: {workers: 1}, workload: {arrivals: {rate: 20/min}}}, brief: {duration: 10s}}
"""
CASES = [
    "objective success_rate >= 90%",
    "objective latency_p95 <= 1m",
    "law conservation",
    "law legal_transitions",
    "law ledger_agreement",
    "law redelivery",
    "law littles_law",
    "abort broken: success_rate < 50%",
    "verdict",
]
LOADED = ("-p", "soak.pytest_plugin", "-p", "no:cacheprovider")


@pytest.fixture(scope="module", autouse=True)
def loaded(tmp_path_factory: pytest.TempPathFactory) -> None:
    """All modules that such runs need: a pytest within this one forgets those that it was the first to import."""
    importlib.import_module("soak.pytest_plugin")
    path = tmp_path_factory.mktemp("loaded") / "short.yaml"
    path.write_text(SCENARIO)
    for tier in (None, "slow", "brief"):
        case_names(Wanted(path, tier=tier))
        run = soak.run(path, tier=tier, out=path.with_name(f"run-{tier}"))
        assert [finding for finding in run.verify() if finding.problem] == []


@pytest.fixture(autouse=True)
def folder(loaded: None, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, undrawn: None) -> Path:
    """A folder with a scenario; the plugin is loaded by its module's name, whatever is installed."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    (pytester.path / "scenarios").mkdir()
    (pytester.path / "scenarios" / "short.yaml").write_text(SCENARIO)
    return pytester.path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The run directories of the runs that are made."""
    found: list[Path] = []
    run = pytest_runs.run

    def counted(*places: object, **options: object) -> soak.Run:
        found.append(Path(str(options["out"])))
        return run(*places, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pytest_runs, "run", counted)
    return found


def test_a_scenario_file_is_a_test_for_each_check_and_is_run_once(
    pytester: pytest.Pytester, made: list[Path], folder: Path
) -> None:
    result = pytester.runpytest_inprocess(*LOADED, "-v", "scenarios/short.yaml", "--soak-out", "evidence")
    result.assert_outcomes(passed=len(CASES))
    result.stdout.fnmatch_lines([f"scenarios/short.yaml::{name} PASSED*" for name in CASES])
    result.stdout.fnmatch_lines(["PASS: *evidence/short"])
    assert made == [folder / "evidence" / "short"]
    run = soak.open(made[0])
    assert list(cases_of(run.verdict)) == CASES
    assert [finding for finding in run.verify() if finding.problem] == []


def test_collecting_and_choosing_run_nothing_more(pytester: pytest.Pytester, made: list[Path]) -> None:
    listed = pytester.runpytest_inprocess(*LOADED, "--collect-only", "-q", "scenarios/short.yaml")
    listed.stdout.fnmatch_lines([f"scenarios/short.yaml::{name}" for name in CASES])
    none = pytester.runpytest_inprocess(*LOADED, "-k", "nothing", "scenarios/short.yaml")
    none.assert_outcomes(deselected=len(CASES))
    assert made == []
    some = pytester.runpytest_inprocess(*LOADED, "-k", "law or abort", "scenarios/short.yaml")
    some.assert_outcomes(passed=6, deselected=3)
    assert len(made) == 1


def test_what_is_broken_fails_and_what_is_inconclusive_does_not_pass(pytester: pytest.Pytester) -> None:
    failed = pytester.runpytest_inprocess(*LOADED, "scenarios/short.yaml", "--soak-tier", "slow", "--soak-seed", "3")
    failed.assert_outcomes(passed=len(CASES) - 3, failed=3)
    failed.stdout.fnmatch_lines(
        [
            "inconclusive: objective success_rate >= 90%: *unfinished tasks could still break it",
            "evidence: *short-slow",
            "FAIL: objective latency_p95 <= 1m is broken: *observed",
            "FAIL: objective latency_p95 <= 1m is broken*",
        ]
    )
    doubtful = pytester.runpytest_inprocess(*LOADED, "scenarios/short.yaml", "--soak-tier", "brief")
    outcomes = doubtful.parseoutcomes()
    assert outcomes["failed"] >= 3
    doubtful.stdout.fnmatch_lines(["INCONCLUSIVE: objective success_rate*"])
    assert "skipped" not in outcomes


def test_what_does_not_apply_is_skipped(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    def cases(verdict: soak.Verdict) -> dict[str, pytest_runs.Check]:
        found = cases_of(verdict)
        law = pytest_runs.Check("laws", "redelivery", soak.Status.NOT_APPLICABLE, "not promised")
        return {name: law if name == "law redelivery" else check for name, check in found.items()}

    monkeypatch.setattr(pytest_runs, "cases_of", cases)
    result = pytester.runpytest_inprocess(*LOADED, "-rs", "scenarios/short.yaml")
    result.assert_outcomes(passed=len(CASES) - 1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*not promised"])


def test_a_check_that_the_verdict_does_not_mention_fails(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pytest_runs, "case_names", lambda wanted: ["law of gravity", "verdict"])
    result = pytester.runpytest_inprocess(*LOADED, "scenarios/short.yaml")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["the verdict does not mention it"])


def test_a_file_with_mistakes_is_an_error_with_its_line(pytester: pytest.Pytester, folder: Path) -> None:
    (folder / "scenarios" / "wrong.yaml").write_text(SCENARIO.replace("workers: 4}", "workers: 0}", 1))
    result = pytester.runpytest_inprocess(*LOADED, "scenarios/wrong.yaml")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*wrong.yaml:8:*queue.workers*"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_files_are_collected_when_asked_for_alone(pytester: pytest.Pytester, folder: Path) -> None:
    (folder / "other.yaml").write_text("version: 3\nservices: {}\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_own.py").write_text("def test_own(): pass\n")
    nothing = pytester.runpytest_inprocess(*LOADED, "scenarios")
    nothing.assert_outcomes()
    pytester.runpytest_inprocess(*LOADED, "other.yaml").assert_outcomes()
    pytester.makeini("[pytest]\ntestpaths = tests\nsoak_files = scenarios/*.yaml\n")
    found = pytester.runpytest_inprocess(*LOADED, "--collect-only", "-q")
    found.stdout.fnmatch_lines(["tests/test_own.py::test_own", "scenarios/short.yaml::verdict"])
    narrowed = pytester.runpytest_inprocess(*LOADED, "--collect-only", "-q", "tests")
    narrowed.stdout.no_fnmatch_line("*short.yaml*")
    pytester.runpytest_inprocess(*LOADED, "-q", "scenarios", "-k", "verdict").assert_outcomes(passed=1, deselected=8)


def test_a_marked_test_gets_the_run_and_shares_it(pytester: pytest.Pytester, made: list[Path]) -> None:
    pytester.makepyfile(
        """
        import pytest, soak

        pytestmark = pytest.mark.soak("scenarios/short.yaml", seed=4)

        def test_verdict(verdict):
            assert verdict.seed == 4 and verdict.verdict is soak.Outcome.PASS

        def test_run(soak_run):
            assert soak_run.manifest.seed == 4
            assert sum(1 for event in soak_run.events() if event.type == "task.done") > 100

        def test_nothing_else():
            pass

        @pytest.mark.soak("scenarios/short.yaml", tier="slow", settings={"duration": "1h"}, target="simulation")
        def test_it_is_slow(verdict):
            assert verdict.verdict is soak.Outcome.FAIL

        @pytest.mark.soak("scenarios/short.yaml", tier="brief", allow_inconclusive=True)
        def test_it_is_brief(verdict):
            assert verdict.verdict is soak.Outcome.INCONCLUSIVE
        """
    )
    pytester.runpytest_inprocess(*LOADED, "--strict-markers").assert_outcomes(passed=5)
    assert [path.name for path in made] == ["short", "short-slow", "short-brief"]


def test_the_example_of_the_page_passes(pytester: pytest.Pytester, folder: Path) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(import pytest.*?)```", page, re.DOTALL)
    (folder / "test_page.py").write_text(f"import soak\n{block}")
    shutil.copy(ROOT / "scenarios" / "72h.yaml", folder / "scenarios")
    pytester.runpytest_inprocess(*LOADED).assert_outcomes(passed=1)


def test_missing_evidence_never_passes_a_marked_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.soak("scenarios/short.yaml", tier="brief")
        def test_fixture(verdict):
            pass

        @pytest.mark.soak("scenarios/short.yaml", tier="brief")
        def test_alone():
            pass

        @pytest.mark.soak("scenarios/short.yaml", tier="slow")
        def test_broken_alone():
            pass

        @pytest.mark.soak("scenarios/none.yaml")
        def test_no_file(verdict):
            pass

        @pytest.mark.soak("scenarios/short.yaml", teir="slow")
        def test_wrong_option(verdict):
            pass

        def test_no_marker(verdict):
            pass
        """
    )
    result = pytester.runpytest_inprocess(*LOADED)
    result.assert_outcomes(failed=3, errors=3)
    result.stdout.fnmatch_lines_random(
        [
            "the verdict is INCONCLUSIVE",
            "the verdict is FAIL",
            "*none.yaml: No such file or directory*",
            "@pytest.mark.soak: no option teir: did you mean 'tier'?*",
            'the fixtures soak_run and verdict need @pytest.mark.soak("SCENARIO.yaml")',
        ]
    )
    result.stdout.no_fnmatch_line("*During handling*")


def test_a_run_that_failed_is_not_made_again(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    asked: list[object] = []

    def failing(*places: object, **_: object) -> soak.Run:
        asked.append(places)
        raise soak.SoakError("the target is down (start it)")

    monkeypatch.setattr(pytest_runs, "run", failing)
    result = pytester.runpytest_inprocess(*LOADED, "scenarios/short.yaml")
    result.assert_outcomes(failed=len(CASES))
    result.stdout.fnmatch_lines(["the target is down (start it)"])
    assert len(asked) == 1


def test_processes_of_xdist_share_a_run(pytester: pytest.Pytester, folder: Path) -> None:
    result = pytester.runpytest_subprocess(
        *LOADED, "-p", "xdist.plugin", "-n", "2", "scenarios/short.yaml", "--soak-out", "evidence", timeout=120
    )
    result.assert_outcomes(passed=len(CASES))
    assert [path.name for path in (folder / "evidence").iterdir()] == ["short"]


def test_names_are_known_without_a_run(folder: Path) -> None:
    wanted = Wanted(folder / "scenarios" / "short.yaml")
    assert case_names(wanted) == CASES
    assert wanted.key == Wanted(folder / "scenarios" / "short.yaml").key != Wanted(wanted.path, seed=2).key
    assert json.dumps(wanted.name) == '"short"'


def test_who_does_not_use_it_loads_nothing_of_soak() -> None:
    code = "import sys, soak.pytest_plugin; print(sorted(name for name in sys.modules if name.startswith('soak')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['soak', 'soak.pytest_plugin']\n"


def test_pytest_finds_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"soak": "soak.pytest_plugin"}
    assert importlib.import_module("soak.pytest_plugin").pytest_collect_file
