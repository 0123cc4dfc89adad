"""Signed tokens: what they say, when they end, and an HMAC over both (RFC 2104, SHA-256); nothing about them is stored."""

import base64
import hashlib
import hmac
import secrets
import time
from pathlib import Path

_SIGNATURE_BYTES = 32
REFRESH_LIFE = 96
"""A refresh token lives that many times as long as a token (a day, if a token lives for 15 minutes)."""


def signing_key(directory: Path) -> bytes:
    """The key of this gateway, made once."""
    path = directory / "signing.key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(_SIGNATURE_BYTES), encoding="ascii")
    return bytes.fromhex(path.read_text(encoding="ascii"))


class Tokens:
    """Makes and reads tokens. Ends are in Unix seconds of the computer's clock, not of the gateway's."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, kind: str, tenant: str, end: float) -> str:
        """A token of a kind (`access` or `refresh`)."""
        said = f"{kind}\n{tenant}\n{end:.3f}".encode()
        return base64.urlsafe_b64encode(self._sign(said) + said).decode().rstrip("=")

    def read(self, kind: str, token: str) -> tuple[str, float] | None:
        """Tenant and end of a token that is genuine, of that kind and not over."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            signature, said = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            if not hmac.compare_digest(signature, self._sign(said)):
                return None
            of_kind, tenant, end = said.decode().split("\n")
        except ValueError:
            return None
        return (tenant, float(end)) if of_kind == kind and float(end) > time.time() else None

    def _sign(self, said: bytes) -> bytes:
        return hmac.digest(self._key, said, hashlib.sha256().name)
