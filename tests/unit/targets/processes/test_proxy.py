"""A TCP proxy of ours: what goes through it, and what does not while the network is cut, slow, or its connections are closed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from servers import free_port, until

from soak.runner.targets.processes.background import Background
from soak.runner.targets.processes.proxy import Proxy

BIG = 3_000_000


class Echo:
    """Answers with what it is sent, a connection at a time in a thread of its own; closes when the client does."""

    def __init__(self) -> None:
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.accepted = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                line = self.server.accept()[0]
                self.accepted += 1
                threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, suppress(OSError):
            while data := line.recv(65536):
                line.sendall(data)

    def close(self) -> None:
        self.server.close()


@contextmanager
def connected(port: int, timeout_s: float = 10.0) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as line:
        yield line


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as echo:
        yield echo


@pytest.fixture
def made(echo: Echo) -> Iterator[tuple[Proxy, int]]:
    with Background() as background, closing(Proxy(background, str(echo.port))) as proxy:
        yield proxy, proxy.start()


def answered(line: socket.socket, text: bytes = b"ping") -> bytes:
    line.sendall(text)
    return taken(line, len(text))


def taken(line: socket.socket, count: int) -> bytes:
    """The next bytes that come."""
    found = b""
    while len(found) < count and (more := line.recv(count - len(found))):
        found += more
    return found


def is_closed(line: socket.socket) -> bool:
    """Whether the connection is closed, by an end or a reset."""
    try:
        return line.recv(1) == b""
    except ConnectionError:
        return True


def test_bytes_go_through_both_ways_and_an_end_does_too(made: tuple[Proxy, int]) -> None:
    proxy, port = made
    with connected(port) as line:
        assert answered(line) == b"ping"
        line.shutdown(socket.SHUT_WR)
        assert is_closed(line)
    assert proxy.struck == 0
    until(lambda: not proxy.links)


def test_more_than_is_read_ahead_goes_through_whole(made: tuple[Proxy, int]) -> None:
    _, port = made
    data = bytes(range(256)) * (BIG // 256)
    with connected(port) as line:
        threading.Thread(target=line.sendall, args=(data,), daemon=True).start()
        assert taken(line, len(data)) == data


def test_a_cut_closes_connections_and_refuses_new_ones_until_it_heals(made: tuple[Proxy, int]) -> None:
    proxy, port = made
    with connected(port) as line:
        assert answered(line) == b"ping"
        proxy.cut(drops=False)
        assert is_closed(line)
    with connected(port) as line:
        assert is_closed(line)
    assert proxy.struck == 2
    proxy.heal()
    with connected(port) as line:
        assert answered(line) == b"ping"


def test_what_is_dropped_closes_nothing_and_arrives_when_it_heals(made: tuple[Proxy, int], echo: Echo) -> None:
    proxy, port = made
    with connected(port, 0.3) as old:
        assert answered(old) == b"ping"
        proxy.cut(drops=True)
        with connected(port, 0.3) as new:
            for line in (old, new):
                with pytest.raises(TimeoutError):
                    answered(line, b"late")
            assert (echo.accepted, proxy.struck) == (1, 2)
            proxy.heal()
            for line in (old, new):
                line.settimeout(10.0)
                assert taken(line, 4) == b"late"
                assert answered(line) == b"ping"


def test_a_slow_network_is_late_each_way_and_in_order(made: tuple[Proxy, int]) -> None:
    proxy, port = made
    proxy.slow_down(0.2)
    with connected(port) as line:
        line.settimeout(0.3)
        with pytest.raises(TimeoutError):
            answered(line, b"one")
        line.settimeout(10.0)
        line.sendall(b"two")
        assert taken(line, 6) == b"onetwo"
        assert proxy.struck >= 3
        proxy.slow_down(0.0)
        line.sendall(b"end")
        line.shutdown(socket.SHUT_WR)
        assert taken(line, 3) == b"end"
        assert is_closed(line)


def test_all_that_is_slow_arrives_although_who_sent_it_has_gone(echo: Echo) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as sink,
        Background() as background,
        closing(Proxy(background, str(sink.getsockname()[1]))) as proxy,
    ):
        port = proxy.start()
        proxy.slow_down(0.1)
        with connected(port) as line:
            line.sendall(b"last words")
        with sink.accept()[0] as other:
            other.settimeout(10.0)
            assert taken(other, 10) == b"last words"
            assert is_closed(other)


def test_connections_are_closed_and_new_ones_accepted(made: tuple[Proxy, int]) -> None:
    proxy, port = made
    with connected(port) as one, connected(port) as other:
        assert answered(one) == answered(other) == b"ping"
        assert proxy.close_connections() == 2
        assert is_closed(one)
        assert is_closed(other)
    with connected(port) as line:
        assert answered(line) == b"ping"


def test_nobody_behind_it_is_a_connection_that_is_closed() -> None:
    with (
        Background() as background,
        closing(Proxy(background, f"localhost:{free_port()}")) as proxy,
        connected(proxy.start()) as line,
    ):
        assert is_closed(line)


def test_one_that_is_closed_listens_no_more(echo: Echo) -> None:
    with Background() as background:
        proxy = Proxy(background, str(echo.port))
        port = proxy.start()
        with connected(port) as line:
            assert answered(line) == b"ping"
            proxy.close()
            assert is_closed(line)
        with pytest.raises(ConnectionRefusedError), connected(port):
            pass
