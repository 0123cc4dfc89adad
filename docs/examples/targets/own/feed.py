"""Writes a numbered record fifty times a second, forever: `python feed.py OUTPUT`."""

import json
import sys
import time
from itertools import count
from pathlib import Path

with Path(sys.argv[1]).open("a") as output:
    for number in count():
        output.write(json.dumps({"seq": number, "at": time.time()}) + "\n")
        output.flush()
        time.sleep(0.02)
