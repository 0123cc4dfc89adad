"""The public module `soak`: what its page says is run, and it keeps to what it promises."""

import json
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

import soak
from soak.runner.console import heard_by
from soak.runner.notify import sender
from soak.runner.targets.simulation import Simulation

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "import pytest" not in block]
SCENARIO = ROOT / "scenarios" / "72h.yaml"
SHORT = {"duration": "10m"}


def test_the_page_is_a_program_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert len(BLOCKS) == 6
    for block in BLOCKS:
        exec(compile(block, "docs/python.md", "exec"), names)
    said = capsys.readouterr()
    assert "success_rate >= 97% PASS 1.0" in said.out
    assert "queue.workers: " in said.out and "duration: " in said.out
    assert said.err == ""
    assert "<soak.Verdict PASS: 72h, simulation, seed 7>" in said.out


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    cells = json.loads((ROOT / "docs" / "examples" / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert names["margins"].shape == (4, 3)
    assert names["run"].verdict == names["verdicts"][0]
    assert set(names["retries"]["type"]) == {"task.retry"}


def test_a_scenario_is_simulated_and_run_with_other_settings(tmp_path: Path) -> None:
    scenario = soak.load(SCENARIO, settings={"duration": "20m", "seed": 5})
    assert isinstance(scenario, soak.Loaded)
    assert scenario.simulate() == soak.simulate(SCENARIO, settings={"duration": "20m"}, seed=5)
    assert scenario.simulate(seed=3, settings=SHORT) == soak.simulate(SCENARIO, settings=SHORT, seed=3)
    run = scenario.run(seed=3, settings=SHORT, out=tmp_path / "run")
    assert run.manifest.settings == ["duration=10m", "seed=3"]
    assert run.verdict == scenario.changed(seed=3, settings=SHORT).simulate()
    assert (scenario.scenario.seed, scenario.settings) == (5, ("duration=20m", "seed=5"))
    assert repr(scenario) == "<soak.Scenario 72h: system queue, 20m, seed 5>"
    with pytest.raises(soak.ScenarioError, match=r"queue\.workers"):
        scenario.simulate(settings={"queue.workers": 0})


def test_a_scenario_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "72h.yaml"
    path.write_bytes(SCENARIO.read_bytes())
    scenario = soak.load(path, settings=SHORT)
    path.unlink()
    assert scenario.simulate(seed=2).seed == 2


# What notebooks show.


class _Tags(HTMLParser):
    """Tags and attributes of a piece of HTML, and whether each tag that is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.open.append(tag)
        self.names |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def _shown(value: Any) -> _Tags:
    found = _Tags(value._repr_html_())
    assert found.open == []
    assert set(found.tags) <= {"div", "span", "b", "code", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert found.names <= {"style", "scope"}
    return found


def test_notebooks_show_verdicts_runs_and_scenarios(tmp_path: Path) -> None:
    scenario = soak.load(SCENARIO, settings=SHORT)
    run = scenario.run(out=tmp_path / "run")
    assert "success_rate >= 97%" in _shown(scenario).text
    shown = _shown(run.verdict)
    assert shown.text.startswith("INCONCLUSIVE 72h: simulation, 10m, seed 14")
    assert all(reason in shown.text for reason in run.verdict.reasons)
    assert str(run.path) in _shown(run).text
    assert repr(run).endswith("/run': INCONCLUSIVE, 72h, simulation, seed 14>")
    (run.path / "verdict.json").unlink()
    again = soak.open(run.path)
    assert again._repr_html_() is None
    assert repr(again).endswith("without a verdict that can be read>")


def test_what_a_notebook_shows_is_escaped_and_short() -> None:
    verdict = soak.simulate(SCENARIO, settings=SHORT)
    hostile = "<script>alert('1')</script>\x1b" + "x" * 1_000_000
    changed = msgspec.structs.replace(
        verdict,
        scenario=hostile,
        reasons=[hostile] * 1000,
        objectives=[msgspec.structs.replace(verdict.objectives[0], objective=hostile)] * 1000,
    )
    shown = _shown(changed)
    assert "<script>alert('1')</script>�xxx" in shown.text
    assert "and 980 more" in shown.text
    assert len(changed._repr_html_() or "") < 50_000


def test_public_names_are_there_and_no_others() -> None:
    assert all(getattr(soak, name) is not None for name in soak.__all__)
    assert set(soak.__all__) <= set(dir(soak))
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        soak.runn  # type: ignore[attr-defined]  # noqa: B018


def test_importing_soak_loads_nothing() -> None:
    code = "import sys; import soak; print([name for name in sys.modules if name.startswith('soak.')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_body_of_a_task_loads_little() -> None:
    """Every worker of a system under test pays for it at its start."""
    code = "import sys; import soak.body; print(sorted(name for name in sys.modules if name.startswith('soak.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['soak.body', 'soak.contract', 'soak.kit']\n"


def test_a_run_prints_nothing_and_gives_what_the_command_gives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    remarks: list[str] = []
    run = soak.run(SCENARIO, settings=SHORT, seed=3, out=tmp_path / "run", on_remark=remarks.append)
    assert capsys.readouterr() == ("", "")
    assert "abort[0].when: success-collapse would end at least 41.1% of runs" in remarks[0]
    assert remarks[1] == f"72h: simulation, seed 3, evidence in {tmp_path / 'run'}"
    assert (run.verdict, run.manifest.seed, run.manifest.settings) == (
        soak.simulate(SCENARIO, settings=SHORT, seed=3),
        3,
        ["duration=10m", "seed=3"],
    )
    assert [finding for finding in run.verify() if finding.problem] == []
    assert sum(1 for _ in run.events()) == run.manifest.events
    assert soak.open_run(tmp_path / "run") == run


def test_what_is_damaged_is_said_when_it_is_asked_for(tmp_path: Path) -> None:
    run = soak.run(SCENARIO, settings=SHORT, out=tmp_path / "run")
    stream = run.path / "soak_72h.jsonl"
    lines = stream.read_bytes().splitlines(keepends=True)
    stream.write_bytes(b"".join([*lines[:2], b'{"type": "task.done"}\n', *lines[3:]]))
    again = soak.open_run(run.path)
    with pytest.raises(soak.EvidenceError, match=r"soak_72h.jsonl:3: not an event: it has no time or no type"):
        list(again.events())
    assert "event stream" in [finding.what for finding in again.verify() if finding.problem]
    stream.write_bytes(b"".join(lines)[:-1])
    assert sum(1 for _ in again.events()) == len(lines) - 2
    stream.unlink()
    with pytest.raises(soak.EvidenceError, match="No such file or directory"):
        next(again.events())


def test_what_belongs_to_a_file_is_not_dropped_for_a_loaded_scenario() -> None:
    loaded = soak.load(SCENARIO, settings=SHORT)
    with pytest.raises(soak.UsageError, match=r"give them to soak\.load"):
        soak.simulate(loaded, seed=2)


def test_a_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(soak.UsageError, match="is not a run directory"):
        soak.open_run(tmp_path)


def test_a_run_that_is_interrupted_is_completed_and_then_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller with a loop of runs must not go on with the next as if nothing had been asked."""
    run = Simulation.run

    def interrupted(self: Simulation, plan: object) -> object:
        for number, block in enumerate(run(self, plan)):  # type: ignore[arg-type]
            if number == 0:
                signal.raise_signal(signal.SIGINT)
            yield block

    monkeypatch.setattr(Simulation, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        soak.run(SCENARIO, settings=SHORT, out=tmp_path / "run")
    kept = soak.open_run(tmp_path / "run")
    assert (kept.verdict.verdict, kept.verdict.end) == (soak.Outcome.INCONCLUSIVE, soak.End.INTERRUPTED)
    assert [finding for finding in kept.verify() if finding.problem] == []


def test_a_run_in_another_thread_leaves_signals_alone(tmp_path: Path) -> None:
    found: list[soak.Run] = []
    thread = threading.Thread(
        target=lambda: found.append(soak.run(SCENARIO, settings=SHORT, out=tmp_path / "run")), daemon=True
    )
    before = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join(60)
    assert found[0].verdict == soak.simulate(SCENARIO, settings=SHORT)
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_helper_thread_remarks_is_heard_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sender, "AGAIN_AFTER_S", ())
    remarks: list[str] = []
    with heard_by(remarks.append):
        receiver = sender.Receiver("team", lambda message: False)
        receiver.tell(sender.Message("a", "b"))
        receiver.close(time.monotonic() + 30)
    assert remarks == ["notify team: a message could not be sent (the run continues)"]
    assert capsys.readouterr() == ("", "")


def test_errors_have_their_public_names(tmp_path: Path) -> None:
    with pytest.raises(soak.FileError) as found:
        soak.load(tmp_path / "none.yaml")
    (line,) = traceback.format_exception_only(found.value)
    assert line.startswith("soak.FileError: ")
    listed = set(re.findall(r"^\| `soak\.(\w+Error)`", PAGE, re.MULTILINE))
    assert listed == {name for name in soak.__all__ if name.endswith("Error")}
    for name in listed:
        assert (getattr(soak, name).__module__, getattr(soak, name).__name__) == ("soak", name)
    again = pickle.loads(pickle.dumps(soak.UsageError("x")))
    assert (type(again), str(again)) == (soak.UsageError, "x")
