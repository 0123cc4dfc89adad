"""Writes a numbered record fifty times a second, forever: `python feed.py OUTPUT`.

It goes on counting where it ended, so that an interrupted run can go on.
"""

import json
import sys
import time
from itertools import count
from pathlib import Path

path = Path(sys.argv[1])
lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
if lines[-1]:
    path.write_bytes(b"".join(line + b"\n" for line in lines[:-1]))  # half a line: it was killed

with path.open("a") as output:
    for number in count(len(lines) - 1):
        output.write(json.dumps({"seq": number, "at": time.time()}) + "\n")
        output.flush()
        time.sleep(0.02)
