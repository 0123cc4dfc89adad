"""The HTTP client: a new connection for each call, so that each meets its planned fault."""

import httpx


async def is_well(http: httpx.AsyncClient, url: str) -> bool:
    """Whether a dependency is healthy."""
    try:
        return (await http.get(f"{url}/health")).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


async def warm_up(urls: list[str]) -> None:
    """Call each once: loading libraries on the first call is not part of the run."""
    async with open_http() as http:
        for url in urls:
            await is_well(http, url)


def open_http(connections: int | None = None, timeout_s: float | None = None) -> httpx.AsyncClient:
    """A client with that many connections, a new one for each call; without proxies and certificates."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=0)
    return httpx.AsyncClient(trust_env=False, verify=False, limits=limits, timeout=timeout_s)
