"""Whether a service can be reached at all, before anything of a run begins: nothing is sent to it."""

import socket
import ssl
from urllib.parse import urlsplit

from soak.runner.http.failures import detail_of
from soak.schemas.errors import UsageError, quoted
from soak.schemas.language.hosts import PORTS
from soak.schemas.language.http import Http

WITHIN_S = 10.0
"""Real seconds in which a service must accept a connection."""


def refuse_silent(url: str, http: Http) -> None:
    """Raises UsageError, with the reason, unless a connection to a URL can be made, over TLS where it says so."""
    parts = urlsplit(url)
    try:
        address = parts.hostname or "", parts.port or PORTS[parts.scheme]
        with socket.create_connection(address, WITHIN_S) as connection:
            if parts.scheme == "https":
                _shake_hands(connection, address[0], verify=http.verify_tls)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{quoted(url)} does not answer: {detail_of(error)} ({_remedy(error)})") from None


def _shake_hands(connection: socket.socket, name: str, *, verify: bool) -> None:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.wrap_socket(connection, server_hostname=name).close()


def _remedy(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "give it a certificate that is, or write http.verify_tls: false"
    if isinstance(error, ssl.SSLError):
        return "write http:// if it has no TLS"
    return "start the service, or correct http.url"
