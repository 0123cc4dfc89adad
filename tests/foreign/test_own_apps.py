"""A team's own configuration instead of an adapter's: its queue, and its task with its own settings, which calls soak.kit.

Each needs the environment of its system, as in `test_adapter_runs.py`.
"""

from pathlib import Path

import msgspec
import pytest
from commands import soak

from soak.runner.targets.adapters import environment_of
from soak.schemas.evidence.verdict import Outcome, Verdict

pytestmark = pytest.mark.foreign

APPS = {
    "rq": """
import os
from redis import Redis
from rq import Queue
from soak import kit
app = Queue("shop", connection=Redis.from_url(os.environ["REDIS_URL"]))
def charge(payload):
    print("charged", flush=True)
    kit.attempt(payload)
""",
    "huey": """
import os
from huey import RedisHuey
from soak import kit
app = RedisHuey("shop", url=os.environ["REDIS_URL"])
@app.task(retries=4)
def charge(payload):
    print("charged", flush=True)
    kit.attempt(payload)
""",
    "dramatiq": """
import os
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from soak import kit
app = RedisBroker(url=os.environ["REDIS_URL"], namespace="shop")
@dramatiq.actor(broker=app, queue_name="shop", max_retries=4, min_backoff=100)
def charge(payload):
    print("charged", flush=True)
    kit.attempt(payload)
""",
}
OPTIONS = {"rq": ["--option", "queue=shop"]}

SCENARIO = """
version: 1
name: own
system: queue
duration: 2s
drain: 25s
seed: 3
workload:
  arrivals: {process: constant, rate: 3/s}
  task: {duration: {distribution: constant, value: 50ms}}
queue:
  workers: 1
  retry: {max_attempts: 5, backoff: [100ms, 100ms]}
faults: [{name: transient, type: transient_error, rate: 50%, errors: [network]}]
evidence: lenient
slos: [success_rate == 100%, lost_tasks == 0, excess_attempts == 0]
telemetry: {sample_interval: 1s, max_gap: 10s, max_lag: 10s}
"""


@pytest.mark.parametrize("name", APPS)
def test_own_queue_and_task(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not environment_of(name).python.exists():
        pytest.skip(f"no environment {name} (soak target env {name})")
    (tmp_path / "app.py").write_text(APPS[name], encoding="utf-8")
    (tmp_path / "own.yaml").write_text(SCENARIO, encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    own = ["--option", "app=app:app", "--option", "task=app:charge", *OPTIONS.get(name, [])]
    done = soak("run", "own.yaml", "--target", name, *own, "--out", "run")

    assert done.returncode == Outcome.PASS.exit_code, done.stdout + done.stderr
    verdict = msgspec.json.decode(Path("run/verdict.json").read_bytes(), type=Verdict)
    assert verdict.tasks["DONE"] == 6
    assert Path("run/system/w0.log").read_text(encoding="utf-8").count("charged") > 6
