"""HTTP load: how many requests a second one core of the generator sends, what the runner's memory does over many requests, and
who uses the CPU at 100 users.

    python benchmarks/bench_gateway.py [--rounds 5] [--seconds 4] [--only rate|memory|cpu] [--requests 1000000]

rate: our generator and plain Locust with FastHttpUser and the same two lines of task take turns against one server that answers
with a fixed text at once; requests by CPU second of the process that sends (asked: at least 0.9 of Locust's). memory: of the
runner, fed with rows of requests as fast as it takes them (asked: at most 1.2 times that after 100,000). cpu: runner and
generator against the bundled gateway at 100 users (asked: at most 1).
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from soak.runner.engine import identify
from soak.runner.judge.judge import Judge
from soak.runner.load.division import Division
from soak.runner.load.events import Merged
from soak.runner.load.generator import Generator
from soak.runner.load.order import make_order
from soak.runner.load.rows import What
from soak.runner.targets.make import make_target
from soak.schemas.language.load import load
from soak.schemas.systems.gateway.settings import gateway_of
from soak.simulation.plan import Plan

USERS = 20
SCENARIO = """
version: 1
name: bench
system: gateway
duration: {duration}
drain: 1s
workload:
  {load}
  kinds: [{{name: hello, share: 100%, request: {{path: /hello}}, expect: {{status: 200}}}}]
slos: [success_rate >= 99%, latency_p95 <= 1s]
telemetry: {{sample_interval: 1s, max_lag: 10s}}
"""

SERVER = """
import asyncio, sys
BODY = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\nContent-Length: 5\\r\\n\\r\\nhello"
class Hello(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(BODY * data.count(b"\\r\\n\\r\\n"))
async def main():
    server = await asyncio.get_running_loop().create_server(Hello, "127.0.0.1", int(sys.argv[1]), backlog=1000)
    await server.serve_forever()
asyncio.run(main())
"""

PLAIN = """
import json, sys, time
from gevent import monkey
monkey.patch_all()
import gevent
from locust import FastHttpUser, constant, task
from locust.env import Environment
class Hello(FastHttpUser):
    wait_time = constant(0)
    host = sys.argv[1]
    @task
    def hello(self):
        self.client.get("/hello")
environment = Environment(user_classes=[Hello])
runner = environment.create_local_runner()
runner.start(int(sys.argv[2]), spawn_rate=1000)
gevent.sleep(1)
before, used, began = environment.stats.total.num_requests, time.process_time(), time.monotonic()
gevent.sleep(float(sys.argv[3]))
done, took = environment.stats.total.num_requests - before, time.monotonic() - began
sys.stdout.write(json.dumps([done, time.process_time() - used, took]))
sys.stdout.flush()
import os
os._exit(0)
"""


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server, up."""
    with subprocess.Popen(command) as server:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield server
        finally:
            server.kill()


def plan_of(folder: Path, text: str, duration: str) -> Plan:
    """The plan of a scenario."""
    path = folder / "bench.yaml"
    path.write_text(SCENARIO.format(load=text, duration=duration))
    return Plan(load(path).scenario)


def sent_by_soak(folder: Path, url: str, seconds: float) -> tuple[float, float, float]:
    """Requests, CPU seconds of the generator, seconds."""
    users = f"users: {{count: {USERS}, think: {{distribution: constant, value: 1ms}}}}"
    plan = plan_of(folder, users, f"{seconds + 3:g}s")
    order = make_order(plan, {"hello": gateway_of(plan.scenario).exchanges[0]}, url=url)
    with Generator(plan, order, log=folder / "log") as generator:
        generator.prepare()
        process = psutil.Process(generator.pids["load0"])
        generator.start(time.monotonic())
        time.sleep(1)
        generator.take()
        before, used, began = plan.offered, _cpu(process), time.monotonic()
        while time.monotonic() < began + seconds:
            time.sleep(0.2)
            generator.take()
        if failed := generator.details():
            raise SystemExit(f"requests fail: {failed[0]}")
        return plan.offered - before, _cpu(process) - used, time.monotonic() - began


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def sent_by_locust(url: str, seconds: float) -> tuple[float, float, float]:
    """The same of plain Locust."""
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, url, str(USERS), str(seconds)],
        capture_output=True,
        check=True,
        text=True,
    )
    requests, used, took = json.loads(done.stdout)
    return requests, used, took


def rate(folder: Path, rounds: int, seconds: float) -> None:
    """Requests by CPU second, in turns."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ratios = []
    with serving([sys.executable, "-c", SERVER, str(port)], port):
        for number in range(rounds):
            ours, plain = sent_by_soak(folder, url, seconds), sent_by_locust(url, seconds)
            ratios.append((ours[0] / ours[1]) / (plain[0] / plain[1]))
            print(
                f"round {number}: soak {ours[0] / ours[1]:,.0f} requests by CPU second ({ours[0] / ours[2]:,.0f}/s), "
                f"Locust {plain[0] / plain[1]:,.0f} ({plain[0] / plain[2]:,.0f}/s), ratio {ratios[-1]:.2f}",
                flush=True,
            )
    print(f"median ratio {statistics.median(ratios):.2f} (asked: at least 0.9)")


def memory(folder: Path, requests: int) -> None:
    """Memory of the runner that reads and judges the rows of many requests."""
    per_s = 1_000
    plan = plan_of(folder, f"arrivals: {{rate: {per_s}/s, process: constant}}", f"{requests // per_s}s")
    division, merged = Division(plan, 1), Merged(plan, [0])
    judge = judge_of(plan)
    process, first, began = psutil.Process(), 0, time.monotonic()
    for second in range(requests // per_s):
        number = np.arange(second * per_s, (second + 1) * per_s) << 1
        start_s = number / 2 / per_s
        begun = np.column_stack([start_s, np.full(per_s, What.BEGUN), number, start_s, *np.zeros((2, per_s))])
        ended = np.column_stack(
            [start_s + 0.0005, np.full(per_s, What.ENDED), number, np.full(per_s, 200), *np.zeros((2, per_s))]
        )
        rows = np.concatenate([begun, ended])
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        division.observe(0, merged.add(0, float(second + 1), array("d", rows.ravel().tolist()).tobytes()))
        for _ in judge.observe(merged.take(merged.safe_s)):
            pass
        if (second + 1) * per_s == 100_000:
            first = process.memory_info().rss
            print(f"after 100,000 requests: {first / 1e6:,.0f} MB", flush=True)
    last = process.memory_info().rss
    took = time.monotonic() - began
    print(
        f"after {requests:,} requests: {last / 1e6:,.0f} MB, {last / first:.2f} times as much (asked: at most 1.2); "
        f"{requests / took:,.0f} requests/s read and judged"
    )


GATEWAY = """
version: 1
name: bench
system: gateway
duration: {duration}
drain: 1s
http:
  headers: {{Authorization: "Bearer {{token}}"}}
  login:
    for_each: tenant
    request: {{method: POST, path: /token, json: {{tenant: "{{tenant}}", secret: "secret-{{tenant}}"}}}}
    save: {{token: $.token}}
workload:
  users: {{count: 100, think: {{distribution: exponential, mean: 1s}}}}
  tenants: [{{name: A, share: 60%}}, {{name: B, share: 40%}}]
  kinds:
    - name: allowed
      share: 70%
      request: {{method: POST, path: /execute, json: {{tool: search, args: {{q: "{{number}}"}}}}}}
    - name: denied
      share: 10%
      request: {{method: POST, path: /execute, json: {{tool: drop_table, args: {{}}}}}}
      expect: {{status: 403}}
    - {{name: reads, share: 20%, request: {{path: "/executions?limit=10"}}}}
slos: [success_rate >= 99%, latency_p95 <= 1s]
telemetry: {{sample_interval: 1s, max_lag: 10s}}
"""


def cpu(folder: Path, seconds: float) -> None:
    """Runner and generator against the bundled gateway on SQLite, 100 users that think for a second."""
    port = free_port()
    command = [sys.executable, "-m", "soak.systems.gateway", "serve", "--dir", str(folder), "--port", str(port)]
    path = folder / "gateway.yaml"
    path.write_text(GATEWAY.format(duration=f"{seconds + 5:g}s"))
    plan = Plan(load(path).scenario)
    names = [kind.name for kind in plan.scenario.workload.kinds]
    exchanges = dict(zip(names, gateway_of(plan.scenario).exchanges, strict=True))
    order = make_order(plan, exchanges, url=f"http://127.0.0.1:{port}")
    judge = judge_of(plan)
    with serving(command, port) as server, Generator(plan, order, log=folder / "log") as generator:
        generator.prepare()
        parent = psutil.Process(server.pid)
        service = [parent, *parent.children(recursive=True)]
        sender, runner = psutil.Process(generator.pids["load0"]), psutil.Process()
        generator.start(time.monotonic())
        time.sleep(3)
        generator.take()
        before = [sum(map(_cpu, each)) for each in (service, [sender], [runner])]
        began, offered = time.monotonic(), plan.offered
        while time.monotonic() < began + seconds:
            time.sleep(1)
            for _ in judge.observe(generator.take()):
                pass
        took = time.monotonic() - began
        used = [sum(map(_cpu, each)) - then for each, then in zip((service, [sender], [runner]), before, strict=True)]
        requests = plan.offered - offered
        for each in service[1:]:
            each.terminate()
        if failed := generator.details():
            print(f"some requests fail: {failed[0]}")
    print(
        f"{requests / took:,.0f} requests/s: service {used[0] / took:.1%} of a core, generator {used[1] / took:.1%}, "
        f"runner {used[2] / took:.1%}; ratio {(used[1] + used[2]) / used[0]:.2f} (asked: at most 1)"
    )


def judge_of(plan: Plan) -> Judge:
    """A judge of its events."""
    identity = identify(plan.scenario, "", plan.seed, make_target("simulation"), abort=False)
    return Judge.of(plan.scenario, plan.vocabulary, identity)


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--only", choices=["rate", "memory", "cpu"])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.only in {None, "rate"}:
            rate(folder, asked.rounds, asked.seconds)
        if asked.only in {None, "memory"}:
            memory(folder, asked.requests)
        if asked.only in {None, "cpu"}:
            cpu(folder, max(asked.seconds, 10))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
