"""The pages that are measured: Weft with all it shows, the map too, an empty page, and two well-known libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page, ViewportSize

from bench.editor.gestures import Mouse
from bench.editor.graph import Graph

HERE = Path(__file__).parent
LIBRARIES = HERE / "node_modules"
START_MS = 1500
SIZE = ViewportSize(width=1600, height=900)
JSX = """window.jsxRuntime = {
    Fragment: React.Fragment,
    jsx: (type, props, key) => React.createElement(type, key === undefined ? props : { ...props, key }),
    jsxs: (type, { children, ...props }, key) => React.createElement(type, { ...props, key }, ...children),
};"""
SCRIPTS = {
    "floor": [],
    "litegraph": ["litegraph.js/build/litegraph.core.min.js"],
    "xyflow": [
        "react/umd/react.production.min.js",
        "react-dom/umd/react-dom.production.min.js",
        JSX,
        "@xyflow/react/dist/umd/index.js",
    ],
}
STYLES = {"litegraph": "litegraph.js/css/litegraph.css", "xyflow": "@xyflow/react/dist/style.css"}
NAMES = ("floor", "weft", "litegraph", "xyflow")


@dataclass(frozen=True)
class Subject:
    """A page under measure, with its mouse and its own protocol session."""

    name: str
    browser: Browser
    page: Page
    client: CDPSession
    mouse: Mouse

    def load(self, graph: Graph) -> float:
        """Milliseconds from the call to the frame that shows the graph."""
        return self.page.evaluate(
            """async graph => {
                const start = performance.now();
                await window.__bench.load(graph);
                await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
                return performance.now() - start;
            }""",
            graph,
        )

    def view(self) -> tuple[float, float, float, float]:
        """The box of the page that shows the graph: left, top, width, height."""
        box = self.page.locator(".canvas").bounding_box() if self.name == "weft" else None
        return (box["x"], box["y"], box["width"], box["height"]) if box else (0.0, 0.0, 1600.0, 900.0)


def missing(name: str) -> list[str]:
    """Files of a reference that `npm ci` in bench/editor would bring."""
    return [each for each in SCRIPTS.get(name, []) if each.endswith(".js") and not (LIBRARIES / each).exists()]


@contextmanager
def opened(browser: Browser, name: str, url: str) -> Iterator[Subject]:
    """A fresh profile with the page in it."""
    context = browser.new_context(viewport=SIZE, reduced_motion="reduce")
    page = context.new_page()
    if name == "weft":
        page.goto(f"{url}?bench=1")
        while not page.evaluate("'__bench' in window && document.title !== ''"):
            page.wait_for_timeout(50)
        page.wait_for_timeout(START_MS)
        page.keyboard.press("m")
        page.locator(".map").wait_for()
    else:
        page.set_content("<!doctype html><title>reference</title><body></body>")
        if name in STYLES:
            page.add_style_tag(path=LIBRARIES / STYLES[name])
        for script in SCRIPTS[name]:
            if script.endswith(".js"):
                page.add_script_tag(path=LIBRARIES / script)
            else:
                page.add_script_tag(content=script)
        page.add_script_tag(path=HERE / "pages" / f"{name}.js")
    client = context.new_cdp_session(page)
    try:
        yield Subject(name, browser, page, client, Mouse(client))
    finally:
        context.close()
