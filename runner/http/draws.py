"""`{uuid}` and `{random(a,b)}`: by seed, place in the scenario and number of the request, never by the order of requests."""

import hashlib
from collections.abc import Callable

_WORD = 64


def _key(seed: int, place: str) -> bytes:
    return hashlib.blake2b(f"{seed}\x00{place}".encode(), digest_size=32).digest()


def uuids(seed: int, place: str) -> Callable[[int], str]:
    """For a number a UUID of version 4 (RFC 9562, section 5.4), whose 122 free bits are a hash of seed, place and number."""
    start = hashlib.blake2b(key=_key(seed, place), digest_size=16)

    def uuid(number: int) -> str:
        hashed = start.copy()
        hashed.update(b"%d" % number)
        text = hashed.hexdigest()
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"

    return uuid


def integers(seed: int, place: str, low: int, high: int) -> Callable[[int], int]:
    """For a number an integer from `low` to `high`, uniform up to 2**-64 times their distance."""
    start = hashlib.blake2b(key=_key(seed, place), digest_size=8)
    span = high - low + 1

    def integer(number: int) -> int:
        hashed = start.copy()
        hashed.update(b"%d" % number)
        return low + (int.from_bytes(hashed.digest(), "little") * span >> _WORD)

    return integer
