"""`server`: what packs tell the page and ask of the server, which a worker has no way to; it is taken and forgotten."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any, Final, TypeVar

from PIL.Image import Image

from compat.packs.running import progress

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Routes:
    """Routes of packs are not served."""

    def _declared(self, path: str, **_: object) -> Callable[[Handler], Handler]:
        return lambda handler: handler

    get = post = put = delete = patch = head = view = _declared

    def static(self, *_: object, **__: object) -> None:
        """Folders of packs are not served."""


class App:
    """The application packs add routes to."""

    def add_routes(self, _: object) -> None:
        """Routes of packs are not served."""

    def __getattr__(self, name: str) -> Any:
        if name in ("router", "on_startup", "on_shutdown", "middlewares"):
            return _Taken()
        raise AttributeError(name)


class _Taken:
    def append(self, _: object) -> None:
        """Nothing is kept."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("add_"):
            return lambda *_, **__: None
        raise AttributeError(name)


class Queue:
    """The queue, as a worker sees it: what runs, which is one."""

    currently_running: Final[dict[int, Any]] = {}

    def get_tasks_remaining(self) -> int:
        return 1

    def get_current_queue(self) -> tuple[list[Any], list[Any]]:
        return [], []


class BinaryEventTypes:
    """Kinds of binary messages."""

    PREVIEW_IMAGE = 1
    UNENCODED_PREVIEW_IMAGE = 2
    TEXT = 3
    PREVIEW_IMAGE_WITH_METADATA = 4


def encoded(kind: str, picture: Image, most: int | None = None) -> bytes:
    """A picture as a file, with sides of at most so many pixels."""
    if most is not None:
        picture = picture.copy()
        picture.thumbnail((most, most))
    file = io.BytesIO()
    (picture.convert("RGB") if kind == "JPEG" else picture).save(file, kind)
    return file.getvalue()


class PromptServer:
    """The one server, as `PromptServer.instance`."""

    instance: PromptServer

    def __init__(self) -> None:
        self.routes, self.app, self.prompt_queue = Routes(), App(), Queue()
        self.client_id: str | None = None
        self.last_node_id: str | None = None
        self.last_prompt_id: str | None = None
        self.loop, self.number, self.supports = None, 0, ["custom_nodes_from_web"]
        self.on_prompt_handlers: list[Callable[..., Any]] = []
        self.sockets: dict[str, Any] = {}

    def add_on_prompt_handler(self, handler: Callable[..., Any]) -> None:
        self.on_prompt_handlers.append(handler)

    def send_sync(self, event: Any, data: Any, sid: str | None = None) -> None:
        """A picture is shown as a preview of the running node, how far it is is told; other messages are for the page
        of the pack, which there is none of here."""
        if event == BinaryEventTypes.UNENCODED_PREVIEW_IMAGE:
            kind, picture, most = data
            progress().context.preview(f"image/{kind.lower()}", encoded(kind, picture, most))
        elif event == "progress":
            progress().tell(data["value"], data["max"])

    async def send(self, event: Any, data: Any, sid: str | None = None) -> None:
        """As `send_sync`."""

    def send_progress_text(self, text: str, node_id: str, sid: str | None = None) -> None:
        """As `send_sync`."""

    def queue_updated(self) -> None:
        """Nobody listens."""


PromptServer.instance = PromptServer()
