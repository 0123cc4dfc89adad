"""One HTTP process: the routes, and uvicorn, until SIGTERM or the end of the parent."""

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from soak.systems.gateway.pages import Pages
from soak.systems.gateway.proofs import Proofs
from soak.systems.gateway.service import Service
from soak.systems.gateway.settings import Settings
from soak.systems.gateway.sockets import listen

_BACKLOG = 2048
_KEEP_ALIVE_S = 75
"""A connection that nobody uses is kept so long: one that is closed sooner is often closed just when the next request comes."""


def application(service: Service) -> Starlette:
    """The gateway as an ASGI application."""
    pages, proofs = Pages(service), Proofs(service)
    page, open_page = service.page, service.open_page
    routes = [
        Route("/execute", page(pages.execute, limited=True), methods=["POST"]),
        Route("/token", open_page(pages.token), methods=["POST"]),
        Route("/token/refresh", open_page(pages.refresh), methods=["POST"]),
        Route("/executions", page(pages.newest, limited=True)),
        Route("/executions/edges", page(proofs.edges)),
        Route("/executions/{name}", page(pages.one, limited=True)),
        Route("/timelines/stuck", page(proofs.stuck)),
        Route("/timelines/{name}", page(pages.timeline, limited=True)),
        Route("/usage", page(pages.usage, limited=True)),
        Route("/audit/verify", page(proofs.verify)),
        Route("/reconcile", page(proofs.reconcile)),
        Route("/roots/seal", page(proofs.seal), methods=["POST"]),
        Route("/roots", page(proofs.roots)),
        Route("/tenants/{name}/limits", open_page(proofs.limits), methods=["PUT", "GET"]),
        Route("/clock", open_page(proofs.clock), methods=["POST", "GET"]),
        Route("/health", open_page(proofs.health)),
        Route("/metrics", open_page(proofs.metrics)),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        service.shared.put(service.row, "up", 1)
        yield
        service.shared.put(service.row, "up", 0)
        await service.close()

    return Starlette(routes=routes, lifespan=lifespan)


def run(settings: Settings, row: int) -> int:
    """Serve until asked to stop."""
    server = uvicorn.Server(
        uvicorn.Config(
            application(Service(settings, row)),
            backlog=_BACKLOG,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=max(1, int(0.8 * settings.grace_s)),
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
    )

    async def serve() -> None:
        # Standard input is a pipe that the parent holds: it ends with the parent.
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), _leave, server)
        await server.serve([listen(settings.host, settings.port)])

    gc.freeze()
    with suppress(KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        asyncio.run(serve())
    return 0


def _leave(server: uvicorn.Server) -> None:
    asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
    server.should_exit = True
    server.force_exit = True
