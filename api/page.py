"""The page and its modules: small text files, compressed on request, revalidated by content."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Mapping
from pathlib import PurePosixPath

from aiohttp import hdrs, web

from api.problems import Refused
from api.services import Services
from api.session import COOKIE, LIFETIME_S
from jobs.files import BadName, NoSuchFile

FOLDER = "web"

CONTENT_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}
COMPRESSED = (".html", ".js", ".css", ".json", ".svg", ".webmanifest")

PAGE_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)


async def index(request: web.Request, services: Services) -> web.StreamResponse:
    """The page."""
    return await _serve(request, services, "index.html")


async def module(request: web.Request, services: Services) -> web.StreamResponse:
    """A script, style sheet or picture of the page."""
    return await _serve(request, services, request.match_info["path"])


async def login(request: web.Request, services: Services) -> web.StreamResponse:
    """Trade the one-time code of the printed address for a session cookie, then show the page."""
    response = web.Response(status=303, headers={hdrs.LOCATION: "/", hdrs.CACHE_CONTROL: "no-store"})
    if services.sessions is None:
        return response
    cookie = services.sessions.redeem(request.query.get("code", ""))
    if cookie is None:
        raise Refused(
            401,
            "used_code",
            "This login address was used before or was never issued.",
            hint="Restart the server for a fresh address, or send 'Authorization: Bearer TOKEN'.",
        )
    response.set_cookie(COOKIE, cookie, max_age=LIFETIME_S, path="/", httponly=True, samesite="Strict")
    return response


async def _serve(request: web.Request, services: Services, name: str) -> web.StreamResponse:
    suffix = PurePosixPath(name).suffix
    content_type = CONTENT_TYPES.get(suffix)
    try:
        if content_type is None:
            raise NoSuchFile(f"the page has no files that end in {suffix!r:.20}")
        body = await asyncio.to_thread(services.files.read, FOLDER, name)
    except (BadName, NoSuchFile) as error:
        raise Refused(404, "not_found", f"The page has no file {name!r:.200}.") from error
    tag = hashlib.sha256(body).hexdigest()[:32]
    zipped = suffix in COMPRESSED and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
    tag = f"{tag}-gzip" if zipped else tag
    headers: dict[str, str] = {hdrs.ETAG: f'"{tag}"', hdrs.VARY: hdrs.ACCEPT_ENCODING, hdrs.CACHE_CONTROL: "no-cache"}
    if suffix == ".html":  # on a 304 too: its headers replace those of the copy the browser kept
        headers["Content-Security-Policy"] = PAGE_POLICY
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
    if tag in {each.value for each in request.if_none_match or ()}:
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = content_type
    if zipped:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        body = await asyncio.to_thread(gzip.compress, body, 6, mtime=0)
    return web.Response(body=body, headers=headers)
