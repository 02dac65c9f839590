"""The application: a value built by one function from explicit parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler

from api.config import Config
from api.documents import Documents
from api.gate import build_gate
from api.problems import problem_details
from api.route import Route
from api.routes import ROUTES
from api.services import Converts, Services, Tokens
from api.session import Sessions
from api.site import Site
from api.thumbs import Thumbnails
from jobs.files import FileStore, NoSuchFile
from jobs.service import Jobs

SESSIONS = web.AppKey("SESSIONS", Sessions)

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def build_app(
    config: Config, jobs: Jobs, files: FileStore, tokens: Tokens, converts: Converts, more: Sequence[Route] = ()
) -> web.Application:
    """The application over its parts; it starts and stops nothing of them. `more` are routes of other protocols."""
    sessions = Sessions(config.token) if config.token else None
    services = Services(config, jobs, files, Documents(files), Site(files), sessions, Thumbnails(), tokens, converts)
    routes = (*ROUTES, *more)
    by_template = {(route.method, route.template): route for route in routes}
    app = web.Application(middlewares=[problem_details, build_gate(config, sessions, by_template)])
    if sessions is not None:
        app[SESSIONS] = sessions
    for route in routes:
        handler = _bind(route, services)
        if route.method == "GET":
            app.router.add_get(route.path, handler)
        else:
            app.router.add_route(route.method, route.path, handler)
    app.on_response_prepare.append(_add_headers)
    app.cleanup_ctx.append(lambda _app: _made_ready(services.site))
    return app


def login_path(app: web.Application) -> str:
    """The address a person opens first: with a token configured, one that opens a session, once."""
    return f"/login?code={app[SESSIONS].issue_code()}" if SESSIONS in app else "/"


def _bind(route: Route, services: Services) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await route.handler(request, services)

    return handle


async def _made_ready(site: Site) -> AsyncIterator[None]:
    """Have the page put together before the first person asks for it."""

    async def make() -> None:
        with suppress(NoSuchFile):
            await asyncio.to_thread(site.edition)

    making = asyncio.create_task(make())
    yield
    await making


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
