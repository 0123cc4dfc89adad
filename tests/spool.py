"""A task system in one file, a folder of files: `worker`, `submit KEY PAYLOAD`, `submitter HOW`, `census HOW`. Some misbehave."""

import json
import subprocess
import sys
import time
from pathlib import Path

NEW, DOING, DONE = (Path(sys.argv[1]) / name for name in ("new", "doing", "done"))
FOLDERS = NEW, DOING, DONE


def add(key: str, payload: str) -> None:
    """A task: a file in NEW."""
    (NEW.parent / key).write_text(payload)
    (NEW.parent / key).rename(NEW / key)


def worker(how: str = "") -> None:
    """Takes one file after the other. again: does the last of them once more when it has had nothing to do for half a second."""
    from soak import kit

    say("ready")
    last, since = "", time.monotonic()
    while True:
        if how == "again" and last and time.monotonic() - since > 0.5:
            kit.attempt(last)
            last = ""
        for each in sorted(NEW.iterdir()):
            try:
                taken = each.rename(DOING / each.name)
            except OSError:
                continue
            last = taken.read_text()
            kit.attempt(last)
            taken.rename(DONE / each.name)
            since = time.monotonic()
        time.sleep(0.02)


def submitter(how: str) -> None:
    """Speaks lines on standard input and output. other: its answers are to questions that nobody asked."""
    say(json.dumps({"op": "ready", "version": 1}))
    for line in sys.stdin:
        asked = json.loads(line)
        add(asked["key"], asked["payload"])
        n = asked["n"] + (1000 if how == "other" else 0)
        say(json.dumps({"op": "submitted", "n": n, "answer": "accepted"}))


def mute() -> None:
    """Never says that it is ready."""
    time.sleep(600)


def census(how: str) -> None:
    """Counts files. nested: says what no decoder can read. leaves: leaves a process behind that keeps its output open."""
    if how == "nested":
        say("[" * 100_000)
        return
    if how == "leaves":
        subprocess.Popen(["setsid", "sleep", "600"])
    names = "pending", "in_progress", "done"
    say(json.dumps({name: len([*folder.iterdir()]) for name, folder in zip(names, FOLDERS, strict=True)}))


def say(line: str) -> None:
    """A line of output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    for folder in FOLDERS:
        folder.mkdir(parents=True, exist_ok=True)
    {"worker": worker, "submit": add, "submitter": submitter, "mute": mute, "census": census}[sys.argv[2]](
        *sys.argv[3:]
    )
