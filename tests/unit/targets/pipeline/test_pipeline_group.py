"""A group of processes at its start: what cannot become ready is said at once."""

import time
from pathlib import Path

import pytest
from pipelines import loaded

from soak.runner.targets.offspring import offspring_ended
from soak.runner.targets.pipeline.policy import policy_of
from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.launch import StartError
from soak.runner.targets.processes.ours import Ours
from soak.runner.targets.processes.prepared import prepare
from soak.schemas.systems.pipeline.settings import pipeline_of
from soak.schemas.target.load import load_target

SCENARIO = """
pipeline:
  processes: [{name: a, reads: source, writes: results}]
  sinks: [{name: file, of: results}]
"""


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_that_ends_is_said_at_once_with_its_last_words(code: int, tmp_path: Path) -> None:
    """Also one that ends with 0, which is not started again: it will not be ready."""
    target = tmp_path / "target.yaml"
    command = f'sh -c "echo nothing to do; exit {code}"'
    target.write_text(f"name: t\nprocesses: [{{name: a, command: '{command}', ready: {{file: never}}}}]\n")
    scenario = loaded(SCENARIO + "  supervisor: {restart: {max_restarts: 1, backoff: {initial: 10ms}}}\n").scenario
    began = time.monotonic()
    with offspring_ended("the test"), Background() as background:
        prepared = prepare(load_target(target), tmp_path, {})
        group = Ours(prepared, background, policy_of(pipeline_of(scenario).supervisor, 1.0), ("a",))
        with pytest.raises(StartError, match=rf"^a is not ready: exited with {code}: nothing to do \(see a.log\)$"):
            group.start()
        group.end_now()
    # It is given two minutes to become ready.
    assert time.monotonic() - began < 30
