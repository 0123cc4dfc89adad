"""What the dashboard costs: CPU of its process at 1,000 events a second with ten open pages, and its memory.

    python benchmarks/bench_dashboard.py [RUN_DIR] [--rate 1000] [--pages 10] [--seconds 30]

The stream of a run (without RUN_DIR: of a simulation of scenarios/72h.yaml) is written anew, line by line at that rate, while
`soak dashboard` follows it and every page reads.
"""

import argparse
import http.client
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SCENARIO = Path(__file__).parents[1] / "scenarios" / "72h.yaml"
_PER_S = os.sysconf("SC_CLK_TCK")
_WRITES_PER_S = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=30.0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = asked.run or simulated(Path(folder) / "run")
        live = Path(folder) / "live"
        shutil.copytree(source, live)
        measure(live, asked.rate, asked.pages, asked.seconds)


def simulated(out: Path) -> Path:
    """A run to write anew."""
    subprocess.run([sys.executable, "-m", "soak", "run", SCENARIO, "--out", out], check=True, capture_output=True)
    return out


def measure(live: Path, rate: int, pages: int, seconds: float) -> None:
    """Follow the run in `live` while its stream is written."""
    stream = next(live.glob("soak_*.jsonl"))
    lines = stream.read_bytes().splitlines(keepends=True)
    stream.write_bytes(b"".join(lines[:2]))
    command = [sys.executable, "-m", "soak", "dashboard", str(live)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        found = re.search(r":(\d+)/", server.stderr.readline())
        assert found
        read = [0]
        for _ in range(pages):
            threading.Thread(target=page, args=(int(found[1]), read), daemon=True).start()
        warm = write(stream, lines[2:], rate, 5.0)
        before, began, at_first = cpu_s(server.pid), time.monotonic(), rss_mb(server.pid)
        written = write(stream, lines[2 + warm :], rate, seconds)
        used, passed = cpu_s(server.pid) - before, time.monotonic() - began
        print(f"{written / passed:,.0f} events/s, {pages} pages: {used / passed:.1%} of a core")
        print(f"memory {at_first:.0f} MB after 5 s, {rss_mb(server.pid):.0f} MB after {passed + 5:.0f} s")
        print(f"{read[0] / 1024:,.0f} KiB read by all pages")
        server.terminate()


def write(stream: Path, lines: list[bytes], rate: int, seconds: float) -> int:
    """Append lines for some time; returns how many."""
    began, written = time.monotonic(), 0
    with stream.open("ab", buffering=0) as file:
        while (passed := time.monotonic() - began) < seconds:
            due = min(int(passed * rate), len(lines))
            file.write(b"".join(lines[written:due]))
            written = due
            time.sleep(1 / _WRITES_PER_S)
    return written


def page(port: int, read: list[int]) -> None:
    """One open page."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/events", headers={"Host": "localhost"})
    answer = connection.getresponse()
    while line := answer.readline():
        read[0] += len(line)


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _PER_S


def rss_mb(pid: int) -> float:
    """Its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    main()
