"""The one gate in front of every route: what it does not recognise as proper, it refuses.

The steps, in order: host, target, method, identity, origin, content type, body size. A route cannot opt out; the only
difference a route may declare is `open`, which lets it answer without identity (the login address).
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from api.bodies import too_large
from api.config import Config
from api.problems import Refused
from api.route import ANY_TYPE, Route
from api.session import Sessions

SAFE_METHODS = ("GET", "HEAD")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_AUTHORITY = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE)

Routes = Mapping[tuple[str, str], Route]


class HostList:
    """The names this server answers to; a page that rebinds its own name to our address is not among them.

    A loopback bind answers to loopback names. A bind to one address answers to it too; a bind to every address answers
    to any address written in digits and to the machine's name, because only names can be rebound.
    """

    def __init__(self, bind: str, extra: tuple[str, ...]) -> None:
        own = f"[{bind}]" if ":" in bind else bind
        self._everywhere = bind in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
        machine = (socket.gethostname(),) if self._everywhere else ()
        names = (*LOOPBACK_NAMES, *extra, *machine, *(() if self._everywhere else (own,)))
        self._names = frozenset(name.lower() for name in names)

    def __contains__(self, name: str) -> bool:
        return name in self._names or (self._everywhere and _is_address(name.strip("[]")))


def build_gate(config: Config, sessions: Sessions | None, routes: Routes) -> Middleware:
    """The gate as a middleware over the routes by (method, path template)."""
    hosts = HostList(config.host, config.names)

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        authority = check_host(request, hosts)
        foreign = comes_from_elsewhere(request, authority)
        route = find_route(request, routes, foreign)
        opened = route is not None and route.open
        if sessions is not None and not opened and not sessions.admits(request):
            raise Refused(
                401,
                "no_token",
                "This server asks for its token.",
                hint="Open the address the server printed at its start, or send 'Authorization: Bearer TOKEN'.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        if foreign and not is_navigation(request):
            raise _foreign()
        if route is None:
            raise Refused(
                404, "not_found", f"There is nothing at {request.path!r:.200}.", hint="See /api/v1/openapi.json."
            )
        check_body(request, route)
        return await handler(request)

    return gate


def check_host(request: web.Request, hosts: HostList) -> str:
    """The authority the client addressed, lower case; 400 for a malformed target or Host, 421 for a name not ours."""
    if not request.raw_path.startswith("/"):
        raise Refused(400, "bad_target", "Expected a request target that begins with '/', got another form.")
    values = request.headers.getall(hdrs.HOST, [])
    match = _AUTHORITY.fullmatch(values[0]) if len(values) == 1 else None
    if match is None:
        raise Refused(400, "bad_host", f"Expected one Host header with a name and a port, got {values!r:.200}.")
    if match["name"].lower() not in hosts:
        raise Refused(
            421,
            "unknown_host",
            f"This server does not answer to the name {match['name']!r:.200}.",
            hint="Use the address the server printed at its start, or start it with that name allowed.",
        )
    return values[0].lower()


def comes_from_elsewhere(request: web.Request, authority: str) -> bool:
    """Whether a browser says that a page of another origin caused this request.

    Clients that are no browser send neither header. Every current browser sends Origin with all that changes state and
    with WebSockets, and `null` for a page that hides where it comes from.
    """
    origins = request.headers.getall(hdrs.ORIGIN, [])
    if origins and (len(origins) > 1 or not _same_origin(origins[0], authority)):
        return True
    site = request.headers.get("Sec-Fetch-Site", "same-origin").lower()
    if site == "none":
        return request.method not in SAFE_METHODS
    return site != "same-origin"


def is_navigation(request: web.Request) -> bool:
    """Whether a person followed a link in a window of their own: a document is shown, no script reads the answer."""
    headers = request.headers
    return (
        request.method in SAFE_METHODS
        and hdrs.ORIGIN not in headers
        and headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest") == "document"
    )


def find_route(request: web.Request, routes: Routes, foreign: bool) -> Route | None:
    """The declared route of the path, None without one; 405 (to another site 403) for a method the path lacks."""
    missing = request.match_info.http_exception
    if isinstance(missing, web.HTTPMethodNotAllowed):
        if foreign:
            raise _foreign()
        allowed = ", ".join(sorted(missing.allowed_methods))
        raise Refused(405, "method", f"Expected {allowed} here, got {request.method}.", headers={"Allow": allowed})
    resource = request.match_info.route.resource
    if missing is not None or resource is None:
        return None
    method = "GET" if request.method == "HEAD" else request.method
    return routes[method, resource.canonical]


def check_body(request: web.Request, route: Route) -> None:
    """415 for a content type the route does not take, 413 for a length it does not take."""
    if not request.body_exists:
        return
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Refused(415, "content_encoding", "Expected a body without Content-Encoding.")
    came = request.headers.get(hdrs.CONTENT_TYPE, "no content type")
    if route.body is None:
        raise Refused(415, "content_type", f"Expected no body here, got {came!r:.200}.")
    is_named = hdrs.CONTENT_TYPE in request.headers and request.content_type in route.body.media_types
    if not is_named and route.body.media_types != ANY_TYPE:
        expected = " or ".join(route.body.media_types)
        raise Refused(415, "content_type", f"Expected {expected}, got {came!r:.200}.")
    if (request.content_length or 0) > route.body.limit:
        raise too_large(route.body.limit)


def _foreign() -> Refused:
    return Refused(
        403,
        "foreign_origin",
        "Expected a request of this server's own page or of a program, got one of another site.",
        hint="Open the page at the address you send requests to, or call the API from outside a browser.",
    )


def _same_origin(origin: str, authority: str) -> bool:
    return origin.lower() in (f"http://{authority}", f"https://{authority}")


def _is_address(name: str) -> bool:
    try:
        return not ipaddress.ip_address(name).is_unspecified
    except ValueError:
        return False
