"""A stage of a pipeline over files: `python stage.py NAME INPUT OUTPUT PORT`. It knows nothing of soak.

It copies each record of INPUT to OUTPUT, once: what is in OUTPUT already, it does not write again after a restart.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

name, source, sink, port = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
done, stopping = 0, threading.Event()


class Health(BaseHTTPRequestHandler):
    """Says that it lives, and how much it has done."""

    def do_GET(self):
        """Answer."""
        body = json.dumps({"ok": True, "done": done}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        """Nothing."""


def stop(*_):
    """After this record."""
    stopping.set()


def last_written():
    """The last record that is whole in the output; half a line at its end is cut off."""
    if not sink.exists():
        return -1
    content = sink.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    os.truncate(sink, len(whole))
    lines = whole.splitlines()
    return json.loads(lines[-1])["seq"] if lines else -1


def main():
    """Until SIGTERM."""
    global done  # noqa: PLW0603
    signal.signal(signal.SIGTERM, stop)
    threading.Thread(target=HTTPServer(("127.0.0.1", port), Health).serve_forever, daemon=True).start()
    after = last_written()
    while not source.exists() and not stopping.is_set():
        time.sleep(0.05)
    with source.open() as records, sink.open("a") as output:
        line = ""
        while not stopping.is_set():
            line += records.readline()
            if not line.endswith("\n"):
                time.sleep(0.02)
                continue
            record, line = json.loads(line), ""
            if record["seq"] <= after:
                continue
            record = {"seq": record["seq"], "sent": record.get("sent", record["at"]), "at": time.time()}
            output.write(json.dumps(record) + "\n")
            output.flush()
            done += 1


sys.stdout.write(f"{name}: reads {source.name}, port {port}\n")
sys.stdout.flush()
main()
