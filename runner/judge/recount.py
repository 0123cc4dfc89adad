"""What a target wrote down beside the stream, counted again: does it say the same? A system may have such a ledger."""

from collections.abc import Iterator
from pathlib import Path

from soak.schemas.stream.block import Block


class Recount:
    """Follows a stream to hold it against a ledger of the target. This one has no ledger: a system overrides what it has."""

    file = ""
    """The name of the ledger in the run directory; empty for none."""

    def observe(self, block: Block) -> None:
        """Take in a block, as it was judged."""

    def differences(self, ledger: Path) -> Iterator[str]:
        """In which figures the stream differs from the ledger. Raises OSError, and ValueError for a damaged one."""
        yield from ()
