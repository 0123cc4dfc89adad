"""HTTP requests of a scenario: rendered from templates, judged, and kept apart from whatever sends them.

`Session` has what the requests of one process share. Its `perform(kind, number, tenant, user, send)` does one request with all
that belongs to it (login, redirects, renewal after a 401, what is kept of the answer); `send` is the caller's. Nothing here opens
a connection.
"""

from soak.runner.http.answers import Answer, Outcome
from soak.runner.http.failures import SendError, word_of
from soak.runner.http.inputs import Inputs, read_inputs
from soak.runner.http.requests import Prepared
from soak.runner.http.session import Session
from soak.schemas.language.csv_files import Table

__all__ = ["Answer", "Inputs", "Outcome", "Prepared", "SendError", "Session", "Table", "read_inputs", "word_of"]
