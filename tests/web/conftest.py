"""A real server on a fresh data folder, a real browser, and a page in it that keeps what it complains about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from tests import browser as finder

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "models" / "demo" / "checkpoints" / "weft-emoji.safetensors"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STANDS = """
    window.stands_ = new Promise(resolve => {
        const watcher = new MutationObserver(() => {
            const nodes = document.querySelectorAll(".node");
            if (nodes.length < 7 || !nodes[0].checkVisibility()) return;
            watcher.disconnect();
            requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
        });
        watcher.observe(document, { subtree: true, childList: true, attributes: true });
    });
"""
"""Tells when the default workflow stood, was painted, and the page took presses: ms since it was asked for."""
START_S = 120
RUN_MS = 120_000

expect.set_options(timeout=20_000)


@contextmanager
def serving(data: Path, models: Path, *options: str) -> Iterator[str]:
    """A server of its own on a free port; its address."""
    command = [sys.executable, "server.py", "serve", "--port", "0", "--no-open", "--data", str(data)]
    command += ["--models", str(models), "--device", "cpu", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "http://" in line, f"the server did not start: {line!r}"
            yield "http://" + line.split("http://")[1].strip()
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_ready(url: str) -> None:
    """Wait for the worker."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}api/v1/health") as answer:
            if json.load(answer)["worker"] == "ready":
                return
        time.sleep(0.2)
    raise TimeoutError(f"the worker of {url} was not ready within {START_S} s")


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models root: empty when the repository has the demo model, else a tiny random model under its name."""
    root = tmp_path_factory.mktemp("models")
    if not DEMO.exists():
        from tests.diffusion.tiny import checkpoint_of, save

        (root / "checkpoints").mkdir()
        save(root / "checkpoints" / DEMO.name, checkpoint_of("sd3"))
    return root


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("data"), models) as url:
        wait_until_ready(url)
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = finder.find()
    if path is None:
        message = "BROWSER TESTS SKIPPED: no Chromium or Chrome on this machine. Run `python -m tests.browser`."
        if os.environ.get("CI"):
            pytest.fail(message)
        print(f"\n*** {message} ***\n", file=sys.stderr)
        pytest.skip(message)
    with sync_playwright() as playwright:
        instance = playwright.chromium.launch(executable_path=path, headless=True, args=list(FLAGS))
        yield instance
        instance.close()


@dataclass
class Studio:
    """The page as a person uses it."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._note_request)

    def _note_message(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    def _note_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def open(self) -> Studio:
        self.page.goto(self.url)
        self.node("5").wait_for()
        return self

    def attended(self) -> Studio:
        """Once the page looks after the focus and speaks, which comes a second after it opened."""
        self.page.locator(".spoken-edits").wait_for(state="attached")
        return self

    def node(self, id: str) -> Locator:
        return self.page.locator(f'.node[data-node="{id}"]')

    def port(self, id: str, side: str, name: str) -> Locator:
        return self.node(id).locator(f'.port[data-side="{side}"][data-port="{name}"]')

    def badge(self, id: str) -> Locator:
        return self.node(id).locator(".node-badge")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def run(self) -> None:
        """Press Run and wait for the end."""
        self.button("Run").click()
        self.wait_for_end()

    def wait_for_end(self) -> None:
        expect(self.page.locator(".meter.active")).to_have_count(0, timeout=RUN_MS)
        expect(self.button("Run")).to_be_visible()

    def quicken(self, steps: int = 2) -> None:
        """Fewer steps, for tests that are not about the picture."""
        box = self.node("5").get_by_label("steps", exact=True)
        box.fill(str(steps))
        box.press("Tab")

    def drag(self, start: Locator, x: float, y: float, *, release: bool = True) -> None:
        box = start.bounding_box()
        assert box is not None
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.page.mouse.move(x, y, steps=6)
        if release:
            self.page.mouse.up()

    def drag_to(self, start: Locator, end: Locator) -> None:
        box = end.bounding_box()
        assert box is not None
        self.drag(start, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def document(self) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
        """The workflow on the table, from the session the page keeps."""
        self.page.evaluate("dispatchEvent(new Event('pagehide'))")
        kept = "sessionStorage.getItem('weft.tab.' + JSON.parse(sessionStorage.getItem('weft.session')).current)"
        return json.loads(self.page.evaluate(kept))

    def drop(self, target: Locator, name: str, media_type: str, content: bytes) -> None:
        """Drop a file on the middle of an element."""
        self.page.evaluate(
            """([element, name, type, bytes]) => {
                const data = new DataTransfer();
                data.items.add(new File([new Uint8Array(bytes)], name, { type }));
                const box = element.getBoundingClientRect();
                const at = { clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 };
                const options = { dataTransfer: data, bubbles: true, cancelable: true, ...at };
                element.dispatchEvent(new DragEvent("dragover", options));
                element.dispatchEvent(new DragEvent("drop", options));
            }""",
            [target.element_handle(), name, media_type, list(content)],
        )


@pytest.fixture
def studio(browser: Browser, server: str) -> Iterator[Studio]:
    """The page with its default workflow, its draft forgotten, at 1280 by 800."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield Studio(context.new_page(), server).open()
    context.close()
