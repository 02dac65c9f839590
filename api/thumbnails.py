"""Pictures in small: of results and uploads, and of models that have one beside them."""

from __future__ import annotations

import asyncio
import os
from typing import Final

from aiohttp import hdrs, web

from api.files import USER_CONTENT, picture_too_large, unknown_file
from api.media import BadImage, ImageTooLarge
from api.problems import Refused
from api.services import Services
from jobs.files import MODEL_FOLDERS, BadName, NoSuchFile

BESIDE: Final = (".png", ".jpg", ".jpeg", ".webp", ".preview.png", ".preview.jpg", ".preview.webp")
"""What the picture of a model is called: as the model, with one of these endings."""


async def thumbnail(request: web.Request, services: Services) -> web.StreamResponse:
    """A picture in small, as WebP; of a model the one beside it, or nothing (204)."""
    folder, name = request.match_info["folder"], request.match_info["name"]
    try:
        if folder in MODEL_FOLDERS:
            file = await asyncio.to_thread(services.files.open_beside, folder, name, BESIDE)
        else:
            file = await asyncio.to_thread(services.files.open, folder, name)
    except (BadName, NoSuchFile, ValueError) as error:
        if folder in MODEL_FOLDERS:
            return web.Response(status=204)
        raise unknown_file(folder, name) from error
    with file:
        stat = os.fstat(file.fileno())
        tag = f"{stat.st_mtime_ns:x}-{stat.st_size:x}-{stat.st_ino:x}"
        headers = {**USER_CONTENT, hdrs.ETAG: f'"{tag}"'}
        if tag in {each.value for each in request.if_none_match or ()}:
            return web.Response(status=304, headers=headers)
        try:
            body = await services.thumbnails.of(file, tag)
        except BadImage as error:
            raise Refused(
                415, "not_a_picture", f"{name!r:.100} is no picture: {error}.", facts={"name": name}
            ) from error
        except ImageTooLarge as error:
            raise picture_too_large(name, error) from error
    return web.Response(body=body, headers={**headers, hdrs.CONTENT_TYPE: "image/webp"})
