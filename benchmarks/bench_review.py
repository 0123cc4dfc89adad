"""Speed of what a reviewer uses, measured in one run: `python benchmarks/bench_review.py` (about three minutes)."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
DIRECTORIES = 20
EVENTS_PER_S = 1_000
WATCHED_S = 20.0
RUNS = 1_000
CHROMIUM = "/usr/bin/chromium"
COMPILED = tempfile.mkdtemp()
FIGURES = """
import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
for number in range(6):
    plt.figure().savefig(f"{number}.svg")
"""
GATE = """
version: 1
name: bench
evidence: {one_commit: false, clean_tree: false, recompute: false}
rules:
  - {name: all, runs: {in: "runs/*"}}
"""


def once_s(*command: str, cwd: Path = ROOT) -> float:
    """The CPU seconds of a command, its children too; its modules are compiled once, as those of an installed package are."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = COMPILED
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_s(*command: str, cwd: Path = ROOT) -> float:
    """The least CPU seconds of a command in ROUNDS rounds."""
    return min(once_s(*command, cwd=cwd) for _ in range(ROUNDS))


def soak(*words: str) -> tuple[str, ...]:
    """A command of this tool."""
    return sys.executable, "-m", "soak", *words


def rendering(run: Path) -> float:
    """`soak report` of the 72h run over importing pyplot and saving six empty figures."""
    scratch = Path(tempfile.mkdtemp())
    report, figures = soak("report", str(run)), (sys.executable, "-c", FIGURES)
    pairs = [(once_s(*report), once_s(*figures, cwd=scratch)) for _ in range(ROUNDS + 1)]
    # The first pair compiles; in turn, so that a machine that gets slower slows both.
    return statistics.median(one / other for one, other in pairs[1:])


def painting_ms(page_file: Path) -> float:
    """The script time until the page has loaded in Chromium, in milliseconds: the median of ROUNDS."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        took = []
        for _ in range(ROUNDS):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable")
            page.goto(page_file.as_uri(), wait_until="load")
            found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
            took.append(1000 * found["ScriptDuration"])
            page.close()
        browser.close()
    return statistics.median(took)


def history(run: Path) -> float:
    """Seconds of `soak list` over RUNS runs, their summaries known from the call before."""
    top = Path(tempfile.mkdtemp())
    for number in range(RUNS):
        copy = top / f"{number:04}"
        copy.mkdir()
        for name in ("verdict.json", "run_manifest.json", "scenario.yaml", "SHA256SUMS"):
            shutil.copy(run / name, copy / name)
    once_s(*soak("list", str(top)))
    took = once_s(*soak("list", str(top)))
    shutil.rmtree(top)
    return took


def gate(run: Path) -> float:
    """`soak gate` over DIRECTORIES runs, hashes checked, over sha256sum of the same files and the start of an interpreter."""
    top = Path(tempfile.mkdtemp())
    for number in range(DIRECTORIES):
        shutil.copytree(run, top / "runs" / str(number))
    (top / "gate.yaml").write_text(GATE)
    files = sorted(str(path) for path in (top / "runs").rglob("*") if path.is_file())
    took = cpu_s(*soak("gate", str(top / "gate.yaml"), "--root", str(top), "--out", str(top / "decision")))
    hashing = cpu_s("sha256sum", *files) + cpu_s(sys.executable, "-c", "pass")
    shutil.rmtree(top)
    return took / hashing


def dashboard(run: Path) -> float:
    """The share of a core that following EVENTS_PER_S events a second takes."""
    [stream] = run.glob("soak_*.jsonl")
    with stream.open("rb") as lines:
        events = sum(1 for _ in lines)
    speed = EVENTS_PER_S / (events / (72 * 3600))
    process = subprocess.Popen(
        soak("dashboard", str(run), "--replay", f"{speed:g}"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        watched = psutil.Process(process.pid)
        time.sleep(5)
        before, began = sum(watched.cpu_times()[:2]), time.monotonic()
        time.sleep(WATCHED_S)
        return (sum(watched.cpu_times()[:2]) - before) / (time.monotonic() - began)
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measure and print every row."""
    run = Path(tempfile.mkdtemp()) / "run"
    subprocess.run(soak("run", "scenarios/72h.yaml", "--out", str(run)), cwd=ROOT, capture_output=True, check=True)
    rows = [
        ("report of the 72h run, CPU over importing pyplot and six empty figures", rendering(run), "<= 2"),
        ("script time until the report of the 72h run is loaded, ms", painting_ms(run / "report.html"), "< 300"),
        ("size of that page, MB", (run / "report.html").stat().st_size / 1e6, "< 1.5"),
        ("CPU seconds of soak list over 1,000 runs", history(run), "<= 2"),
        ("gate over 20 runs, hashes included, over sha256sum and an interpreter", gate(run), "<= 2"),
        ("dashboard at 1,000 events a second, share of a core", dashboard(run), "<= 0.1"),
    ]
    for what, value, target in rows:
        print(f"{what:72} {value:8.2f}  {target}")


if __name__ == "__main__":
    main()
