"""A service of one process for tests: `tiny_gateway.py PORT [STORE]` answers 200 while the port STORE is open, else 503.

`tiny_gateway.py store PORT` is what listens.
"""

import json
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STORE = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/metrics":
            return self.answer(200, b'in_flight{worker="0"} 1\nin_flight{worker="1"} 2\nrows 7\n')
        try:
            if STORE:
                socket.create_connection(("127.0.0.1", STORE), 1).close()
        except OSError:
            return self.answer(503, b'{"error": "no store"}')
        return self.answer(200, json.dumps({"path": self.path}).encode())

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "store":
        listening = socket.create_server(("127.0.0.1", int(sys.argv[2])))
        while True:
            listening.accept()[0].close()
    STORE = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
