"""The file of an event stream: JSON lines as they are, or compressed by Zstandard; both are read in flat memory.

A compressed stream is a sequence of frames. What was written is flushed block by block, so that the stream of a run that was
killed is read up to its last block, as that of a plain one up to its last line.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from soak.schemas.errors import EvidenceError, UsageError
from soak.schemas.files import ordinary

if TYPE_CHECKING:
    from backports.zstd import ZstdCompressor, ZstdDecompressor

PLAIN, COMPRESSED = ".jsonl", ".jsonl.zst"
ZSTD = "zstd"

MAGIC = b"\x28\xb5\x2f\xfd"
"""How what is compressed begins, whatever the file is called."""
_CHUNK = 1 << 16
_LONGEST_LINE = 1 << 24
"""Bytes of a line. Ours have some hundreds; a small file of one line could otherwise fill the memory."""

_WINDOW_LOG = 23
"""Memory that a frame may ask its reader for, as a power of two. Ours ask for 2 MB."""

_FRAME_BYTES = 1 << 22
"""What one checksum is of."""


def stream_name(scenario_name: str, compress: str | None = None) -> str:
    """The file name of an event stream, plain or compressed (`ZSTD`)."""
    return f"soak_{scenario_name}{COMPRESSED if compress else PLAIN}"


def is_stream_name(name: str) -> bool:
    """Whether this is the name of an event stream."""
    return name.startswith("soak_") and name.endswith((PLAIN, COMPRESSED))


def stream_file(directory: Path, scenario_name: str) -> Path:
    """The event stream in a run directory, plain or compressed; the path of a plain one if there is none."""
    plain, compressed = (directory / stream_name(scenario_name, compress) for compress in (None, ZSTD))
    return compressed if not plain.exists() and compressed.exists() else plain


def open_stream(path: Path) -> BinaryIO:
    """The lines of a stream or of any JSON lines, compressed or not, to be read from the first on.

    A frame without its end is read as far as it goes; what is written later can be read later. Raises OSError, EvidenceError
    for anything but a file, and UsageError without the package that decompresses; reading raises EvidenceError, with the line,
    where a compressed stream is damaged.
    """
    file = ordinary(path).open("rb")
    try:
        begins = file.read(len(MAGIC))
        file.seek(0)
        if begins != MAGIC:
            return file
        # What io calls a buffered reader reads, iterates and has lines, as a file does.
        return io.BufferedReader(_Decompressed(file, path), _CHUNK)
    except BaseException:
        file.close()
        raise


def _decompressor() -> "ZstdDecompressor":
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        try:
            from backports import zstd
        except ImportError:
            what = "compressed event streams need backports.zstd, which is not installed"
            raise UsageError(f"{what} (in a checkout: pip install '.[zstd]')") from None
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})


def _compressor() -> "ZstdCompressor":
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    # The fastest of the ordinary levels makes streams smaller than the next ones do: the same words recur at short distances.
    level, checksum = zstd.CompressionParameter.compression_level, zstd.CompressionParameter.checksum_flag
    return zstd.ZstdCompressor(options={level: 1, checksum: 1})


def _zstd_error() -> type[Exception]:
    if sys.version_info >= (3, 14):
        from compression.zstd import ZstdError
    else:
        from backports.zstd import ZstdError
    return ZstdError


class _Decompressed(io.RawIOBase):
    """What the frames of a file hold, one after the other."""

    def __init__(self, file: BinaryIO, path: Path) -> None:
        self._file = file
        self._path = path
        self._frame = _decompressor()
        self._error = _zstd_error()
        self._left = b""
        self._lines = 1
        self._since_line = 0

    def readable(self) -> bool:
        """That it is."""
        return True

    def readinto(self, out: "bytearray | memoryview") -> int:  # type: ignore[override]
        """Raises EvidenceError."""
        while True:
            if self._frame.eof:
                self._left, self._frame = self._frame.unused_data, _decompressor()
            taken, self._left = self._left, b""
            if not taken and self._frame.needs_input and not (taken := self._file.read(_CHUNK)):
                return 0
            try:
                piece = self._frame.decompress(taken, len(out))
            except self._error:
                raise self._damaged("cannot be decompressed") from None
            if piece:
                self._watch_lines(piece)
                out[: len(piece)] = piece
                return len(piece)

    def _watch_lines(self, piece: bytes) -> None:
        last = piece.rfind(b"\n")
        self._since_line = len(piece) - last - 1 if last >= 0 else self._since_line + len(piece)
        if self._since_line > _LONGEST_LINE:
            raise self._damaged(f"is longer than {_LONGEST_LINE:,} bytes")
        self._lines += piece.count(b"\n")

    def _damaged(self, what: str) -> EvidenceError:
        return EvidenceError(f"{self._path}:{self._lines}: {what} (the stream is damaged here)")

    def close(self) -> None:
        self._file.close()
        super().close()


class CompressedFile(io.RawIOBase):
    """A compressed stream that is written; what was written before `flush` can be read by others."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._compressor = _compressor()
        self._in_frame = 0

    def writable(self) -> bool:
        """That it is."""
        return True

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        """Compress all of it."""
        self._put(self._compressor.compress(data))
        self._in_frame += len(data)
        return len(data)

    def flush(self) -> None:
        """End a block; a long frame, too."""
        if self.closed or not self._in_frame:
            return
        if self._in_frame >= _FRAME_BYTES:
            self._end_frame()
        else:
            self._put(self._compressor.flush(self._compressor.FLUSH_BLOCK))

    def _end_frame(self) -> None:
        self._put(self._compressor.flush(self._compressor.FLUSH_FRAME))
        self._in_frame = 0

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def close(self) -> None:
        """End the frame, and the file."""
        if self.closed:
            return
        try:
            if self._in_frame:
                self._end_frame()
        finally:
            self._file.close()
            super().close()


def create_compressed(path: Path) -> CompressedFile:
    """A new compressed stream. Raises OSError."""
    return CompressedFile(path.open("xb", buffering=0))


def append_compressed(path: Path) -> CompressedFile:
    """A compressed stream to append to; an incomplete last line is removed, and a frame without its end gets one.

    The file is replaced by a whole one, so that it is never half of one and half of the other. Raises OSError, EvidenceError.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with open_stream(path) as old, CompressedFile(partial.open("wb", buffering=0)) as whole:
            for piece in _whole_lines(old):
                whole.write(piece)
                whole.flush()
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return CompressedFile(path.open("ab", buffering=0))


def _whole_lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while piece := file.read(_FRAME_BYTES // 4):
        rest += piece
        whole = rest.rfind(b"\n") + 1
        if whole:
            yield rest[:whole]
            rest = rest[whole:]
