"""A server over a real socket with real jobs and files; only the worker is played, by a script in the same process."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import struct
import threading
import time
import zlib
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from aiohttp import web

from api.app import build_app, login_path
from api.config import Config
from compat.protocol import peer_routes
from compat.workflows import convert_json
from diffusion.header import read_header
from graph import Choice, InputFile, ModelFile, OutputFile, OutputName, Seed, Slider, Text, node
from graph.node import spec_of
from graph.registry import Registry
from jobs.catalogue import Catalogue
from jobs.database import Database
from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.protocol import Message
from jobs.schema import MIGRATIONS
from jobs.service import Jobs
from jobs.staff import Workers
from jobs.supervisor import Listener

API = "/api/v1"
T = TypeVar("T")


@node("test.Words", category="test")
def words(text: str, style: Annotated[str, Choice(("plain", "loud"))] = "plain") -> str:
    """A text."""
    return text + style


@node("test.Picture", category="test")
def picture(image: Annotated[Path, InputFile("image")]) -> str:
    """The name of an uploaded picture."""
    return image.name


@node("test.Weights", category="test")
def weights(checkpoint: Annotated[Path, ModelFile("checkpoints")]) -> str:
    """The name of a checkpoint."""
    return checkpoint.name


@node("test.Number", category="test")
def number(value: Annotated[float, Slider(0, 100)] = 1.0) -> float:
    """A number."""
    return value


@node("test.Show", category="test", sink=True)
def show(value: str, prefix: Annotated[str, OutputName()] = "weft") -> list[OutputFile]:
    """Shows a text; the scripted worker holds jobs whose text is "hold" until they are cancelled."""
    raise AssertionError(value, prefix)


@node("test.Paint", category="test")
def paint(prompt: Annotated[str, Text(multiline=True)], seed: Annotated[int, Seed()] = 0) -> str:
    """A prompt with a seed."""
    return f"{prompt} {seed}"


REGISTRY = Registry(spec_of(each) for each in (words, picture, weights, number, paint, show))


def words_of(prompt: str) -> list[list[dict[str, object]]]:
    """Stands where the tokenizer does: a token for each word."""
    return [[{"text": word, "weight": 1.0} for word in prompt.split()]]


class ScriptedWorker:
    """Stands where the supervisor does: runs every node of a job in document order, in no time."""

    worker = "scripted"

    def __init__(self) -> None:
        self.ran: list[str] = []
        self._held: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, listener: Listener) -> asyncio.Task[None]:
        self._listener = listener
        catalogue = {"nodes": REGISTRY.to_json(), "packs": {}}
        return self._spawn(listener.worker_ready(Message({"op": "ready"}, json.dumps(catalogue).encode())))

    async def stop(self) -> None:
        for held in self._held.values():
            held.set()
        await asyncio.gather(*self._tasks)

    def send(self, message: Message) -> None:
        workflow = json.loads(message.body) if message.body else {}
        match message.op:
            case "run":
                self._spawn(self._run(message.head, workflow))
            case "explain":
                nodes = {id: {"state": "run", "reason": "never run"} for id in workflow["nodes"]}
                whole = {"ms": 0, "peak_bytes": 0, "unknown": len(nodes)}
                answer = Message(
                    {"op": "answer", "id": message.head["id"]}, json.dumps({"nodes": nodes, **whole}).encode()
                )
                self._spawn(self._listener.worker_said(answer))
            case "cache":
                cleared = message.head["cleared"]
                tiers = {
                    tier: {"budget": 9, "used": 0 if tier in cleared else 5, "results": 1} for tier in ("host", "disk")
                }
                answer = Message({"op": "answer", "id": message.head["id"]}, json.dumps({"tiers": tiers}).encode())
                self._spawn(self._listener.worker_said(answer))
            case "cancel":
                self._held[message.head["job"]].set()
            case _:
                raise AssertionError(message.op)

    def kill(self, cause: str) -> None:
        raise AssertionError(cause)

    def last_node(self, job: str) -> str | None:
        return None

    async def flood(self, previews: int, size: int) -> None:
        """Send previews of `size` bytes of one node of the job that is held."""
        head = self._head
        for number in range(head["first"], head["first"] + previews):
            event = {"n": number, "job": head["job"], "t": 0, "type": "preview", "node": "1", "data": "x" * size}
            message = {"op": "preview", "job": head["job"], "attempt": head["attempt"], "last": number, "node": "1"}
            await self._listener.worker_said(Message(message, json.dumps([event]).encode()))
        self._head = {**head, "first": head["first"] + previews}

    async def _run(self, head: Mapping[str, Any], workflow: Mapping[str, Any]) -> None:
        job, self._head = head["job"], head
        self.ran.append(job)
        state = "done"
        if "hold" in json.dumps(workflow):
            self._held[job] = asyncio.Event()
            await self._held[job].wait()
            state = "cancelled"
        number = self._head["first"]
        events: list[dict[str, Any]] = []
        for id in workflow["nodes"]:
            events.append({"type": "started", "node": id, "reason": "never run"})
            events.append({"type": "finished", "node": id, "ms": 0.1})
        for offset, event in enumerate(events):
            event |= {"n": number + offset, "job": job, "t": 0}
        last = number + len(events) - 1
        place = {"job": job, "attempt": head["attempt"], "last": last}
        batch = Message({"op": "events", "first": number, **place}, json.dumps(events).encode())
        await self._listener.worker_said(batch)
        nodes = {id: {"state": "ran", "reason": "never run", "ms": 0.1} for id in workflow["nodes"]}
        sinks = [id for id, each in workflow["nodes"].items() if each["type"] == "test.Show"]
        file = OutputFile("out put/é-00001.png", "image/png", 8, 8)
        done = {"op": "done", "state": state, "error": None, "outputs": {id: [file.to_json()] for id in sinks}, **place}
        await self._listener.worker_said(Message(done, json.dumps(nodes).encode()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class World:
    """The running server, its data folder, and a plain HTTP client that sends exactly what it is told to."""

    def __init__(self, folder: Path, *, host: str = "127.0.0.1", token: str | None = None) -> None:
        self.folder, self._host, self._token = folder, host, token
        self.worker = ScriptedWorker()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> World:
        self._thread.start()
        assert self._started.wait(20), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        page = self.folder / "page"
        (page / "templates").mkdir(parents=True)
        (page / "index.html").write_text("<!doctype html><!-- import map --><title>Weft</title>")
        (page / "main.js").write_text("export const answer = 42;\n" * 100)
        (page / "secret.py").write_text("no file of the page")
        (page / "templates" / "default.json").write_text(json.dumps(workflow("a red apple")))
        (page / "templates" / "default.webp").write_bytes(b"a picture")
        pack = self.folder / "packs" / "tint"
        (pack / "web").mkdir(parents=True)
        (pack / "web" / "index.js").write_text("export {};\n")
        (pack / "web" / "main.js").write_text("export const pack = 1;\n")
        (pack / "__init__.py").write_text("SECRET = 1\n")
        (pack / "web" / "page.html").write_text("<script>1</script>")
        (pack / "secret.js").write_text("not of the page")
        hashes = Hashes(self.folder / "hashes.sqlite")
        fixed = {"web": [page], "templates": [page / "templates", page / "tour"], "packs": [self.folder / "packs"]}
        models, data = self.folder / "models", self.folder / "data"
        self.files = FileStore([models], data, hashes, fixed, check_weights=read_header)
        catalogue = Catalogue(self.folder / "catalogue.json", [], self.files)
        database = Database(self.folder / "jobs.sqlite", MIGRATIONS)
        self.jobs = Jobs(database, catalogue, Workers(lambda _: self.worker))  # pyright: ignore
        await self.jobs.start()
        app = build_app(
            Config(self._host, "test", self._token), self.jobs, self.files, words_of, convert_json, peer_routes()
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port: int = runner.addresses[0][1]
        self.login = login_path(app)
        self._started.set()
        await self._stop.wait()
        await runner.cleanup()
        await self.jobs.stop()
        hashes.close()

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request. Host is right unless `headers` say otherwise; nothing else is added but the body's length."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            sent = {"Host": self.authority, **(headers or {})}
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            if body is not None and "Transfer-Encoding" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def send_json(self, method: str, path: str, value: object, headers: Mapping[str, str] | None = None) -> Answer:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask(method, path, body, {"Content-Type": "application/json", **(headers or {})})

    def send_raw(self, request: bytes) -> bytes:
        """What comes back on a bare connection, up to its end or a second of silence."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(request)
            connection.settimeout(1)
            received = b""
            try:
                while chunk := connection.recv(65536):
                    received += chunk
                    if b"\r\n\r\n" in received:
                        break
            except TimeoutError:
                return received
            return received

    def run(self, value: object) -> str:
        """Submit a workflow and wait for its end; the id."""
        answer = self.send_json("POST", f"{API}/jobs", {"workflow": value})
        assert answer.status == 202, answer.body
        id = answer.json["id"]
        assert self.ask("GET", f"{API}/jobs/{id}", headers={"Prefer": "wait=20"}).json["state"] == "done"
        return id

    def hold(self) -> str:
        """Submit a workflow that runs until it is cancelled; the id, once it runs."""
        id = self.send_json("POST", f"{API}/jobs", {"workflow": workflow("hold")}).json["id"]
        deadline = time.monotonic() + 20
        while id not in self.worker.ran and time.monotonic() < deadline:
            time.sleep(0.005)
        return id

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def state(self) -> dict[str, object]:
        """Everything that a refused request must leave as it was: all files but SQLite's, all jobs, all that ran."""
        files = {
            str(path.relative_to(self.folder)): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and ".sqlite" not in path.name
        }
        return {"files": files, "jobs": self.call(self.jobs.page()), "ran": list(self.worker.ran)}


def workflow(text: object, **nodes: object) -> dict[str, Any]:
    """A text that is shown, and further nodes."""
    shown = {"type": "test.Show", "inputs": {"value": {"node": "1", "output": "str"}}}
    return {"version": 1, "nodes": {"1": {"type": "test.Words", "inputs": {"text": text}}, "2": shown, **nodes}}


def png(width: int = 8, height: int = 8, extra: bytes = b"") -> bytes:
    """A PNG file whose header is right; `extra` comes before its end."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (min(width, 64) + 1) * min(height, 64))
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + extra + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
