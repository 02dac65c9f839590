"""The page and its modules: small text files, compressed, which the browser keeps for as long as they stay the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from aiohttp import hdrs, web

from api.problems import Refused
from api.services import Services
from api.session import COOKIE, LIFETIME_S
from api.site import FIRST, PAGE, Asset
from jobs.files import BadName, NoSuchFile

LASTING = "private, max-age=31536000, immutable"
LANGUAGES = ("en", "zh")
"""Those the page speaks; the first one is spoken to who asks for none of them."""

CONTENT_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".webmanifest": "application/manifest+json",
}


async def index(request: web.Request, services: Services) -> web.StreamResponse:
    """The page."""
    try:
        edition = await asyncio.to_thread(services.site.edition)
    except NoSuchFile as error:
        raise Refused(404, "not_found", "The page is not there.") from error
    headers = {  # on a 304 too: its headers replace those of the copy the browser kept
        hdrs.CACHE_CONTROL: "no-cache",
        "Content-Security-Policy": edition.policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        hdrs.LINK: ", ".join(_soon(request, services, edition.address)),
    }
    return await send(request, edition.page, PAGE, headers)


async def module(request: web.Request, services: Services) -> web.StreamResponse:
    """A script, style sheet or picture of the page; under the address of the edition it is of, it never changes."""
    path = request.match_info["path"]
    try:
        if PurePosixPath(path).suffix not in CONTENT_TYPES:
            raise NoSuchFile(f"the page has no files that end in {PurePosixPath(path).suffix!r:.20}")
        asset, lasting = await asyncio.to_thread(services.site.asset, path)
    except (BadName, NoSuchFile) as error:
        raise Refused(404, "not_found", f"The page has no file {path!r:.200}.") from error
    return await send(request, asset, path, {hdrs.CACHE_CONTROL: LASTING if lasting else "no-cache"})


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


def _soon(request: web.Request, services: Services, address: str) -> Iterator[str]:
    """What the page will ask for first, so that all of it comes at once: modules, and what the server knows."""
    wanted = request.headers.get(hdrs.ACCEPT_LANGUAGE, "")
    language = next((each for each in LANGUAGES if wanted.startswith(each)), LANGUAGES[0])
    for module in (FIRST, f"strings/{language}.js"):
        yield f"<{address}{module}>; rel=modulepreload"
    for path in ("health", "nodes", "models") if services.jobs.catalogue.known else ("health",):
        yield f"</api/v1/{path}>; rel=preload; as=fetch; crossorigin"


async def send(request: web.Request, asset: Asset, name: str, headers: Mapping[str, str]) -> web.StreamResponse:
    """A file as the client takes it, or 304 where it has it."""
    zipped = asset.zipped if "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "") else None
    tag = asset.tag if zipped is None else f"{asset.tag}-gzip"
    sent = {hdrs.ETAG: f'"{tag}"', hdrs.VARY: hdrs.ACCEPT_ENCODING, **headers}
    if tag in {each.value for each in request.if_none_match or ()}:
        return web.Response(status=304, headers=sent)
    sent[hdrs.CONTENT_TYPE] = CONTENT_TYPES[PurePosixPath(name).suffix]
    if zipped is not None:
        sent[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=asset.body if zipped is None else zipped, headers=sent)
