"""What the page costs: loading it, opening 1,000 nodes, and frames while the view moves, in headless Chromium.

`python -m bench.page [--repeat N]` starts a server on a data folder of its own and drives a real browser without a GPU.
Frame times are those of requestAnimationFrame; main-thread time is the browser's own count of task time per frame.
Interactive is when the graph stands, is painted, and the page takes presses; blocked is what tasks took beyond 50 ms
each until then.
Best of N repeats, beside the goal where there is one.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

from bench.http import load
from tests import browser as finder
from tests.web.conftest import DEMO, FLAGS, STANDS, Studio, serving, wait_until_ready

NODES = 1000
RESTED_MS = 2000
"""Until the page has what it asks for a second after its first view."""
KB = "first load, KB of scripts, styles and sentences, gzipped"
REQUESTS = "first load, requests"
INTERACTIVE = "first load, ms until interactive"
BLOCKED = "first load, ms blocked by long tasks"
GOALS = {KB: 120, REQUESTS: 60, INTERACTIVE: 400, BLOCKED: 50}
TASKS = """
    window.tasks_ = [];
    const watcher = new PerformanceObserver(list => window.tasks_.push(...list.getEntries()));
    watcher.observe({ type: "longtask", buffered: true });
"""
WATCH = """() => {
    const frames = window.frames_ = [];
    let last = performance.now();
    const note = now => { frames.push(now - last); last = now; window.frame_ = requestAnimationFrame(note); };
    window.frame_ = requestAnimationFrame(note);
}"""
OPENING = """() => {
    window.opened_ = new Promise(resolve => {
        let start = 0;
        addEventListener("drop", () => { start = performance.now(); }, { capture: true });
        const drawn = () => setTimeout(() => resolve(performance.now() - start));
        const title = document.querySelector("title");
        new MutationObserver(() => requestAnimationFrame(drawn)).observe(title, { childList: true });
    });
}"""
COUNT = """async () => {
    const ready = await window.stands_;
    const files = performance.getEntriesByType("resource").filter(each => each.startTime < ready);
    const page = files.filter(each => /\\.(js|css)$/.test(new URL(each.name).pathname));
    const [sent, code] = [files, page].map(all => all.reduce((sum, each) => sum + each.encodedBodySize, 0));
    const painted = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0;
    const before = window.tasks_.filter(each => each.startTime < ready);
    const blocked = before.reduce((sum, each) => sum + each.duration - 50, 0);
    return { ready, requests: files.length + 1, sent, code, blocked, painted };
}"""


def workflow() -> bytes:
    """A wall of samplers, each linked to the one before and every other one to one further back."""
    nodes: dict[str, object] = {}
    for i in range(1, NODES + 1):
        inputs: dict[str, object] = {"seed": i, "steps": 20, "cfg": 7.0, "sampler": "euler", "schedule": "normal"}
        if i > 1:
            inputs["latent"] = {"node": str(i - 1), "output": "latent"}
        if i % 2 and i > 26:
            inputs["model"] = {"node": str(i - 25), "output": "latent"}
        nodes[str(i)] = {"type": "KSampler", "inputs": inputs}
    places = {str(i): {"x": i % 40 * 320, "y": i // 40 * 420} for i in range(1, NODES + 1)}
    return json.dumps({"version": 1, "nodes": nodes, "view": {"nodes": places}}).encode()


def task_time(client: CDPSession) -> float:
    """Seconds of main-thread tasks so far."""
    return next(
        each["value"] for each in client.send("Performance.getMetrics")["metrics"] if each["name"] == "TaskDuration"
    )


def frames(page: Page, client: CDPSession, gesture: Callable[[Page], None]) -> tuple[float, float, float]:
    """Median and 95th percentile of a frame, and main-thread time a frame, in ms, while the gesture lasts."""
    page.evaluate(WATCH)
    before = task_time(client)
    gesture(page)
    busy = task_time(client) - before
    times = sorted(page.evaluate("() => { cancelAnimationFrame(window.frame_); return window.frames_; }"))
    return times[len(times) // 2], times[int(0.95 * len(times))], 1000 * busy / len(times)


def pan(page: Page) -> None:
    page.mouse.move(700, 600)
    page.mouse.down(button="middle")
    for step in range(120):
        page.mouse.move(700 - 4 * step, 600 - 2 * step)
    page.mouse.up(button="middle")


def zoom(page: Page) -> None:
    page.mouse.move(600, 450)
    for _ in range(16):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(32)


def measure(browser: Browser, url: str) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    for script in (TASKS, STANDS):
        page.add_init_script(script)
    page.goto(url)
    cold = page.evaluate(COUNT)
    page.reload()
    again = page.evaluate("window.stands_")
    figures = {
        KB: cold["code"] / 1000,
        REQUESTS: cold["requests"],
        INTERACTIVE: cold["ready"],
        BLOCKED: cold["blocked"],
        "first load, ms to first paint": cold["painted"],
        "first load, KB sent in all": cold["sent"] / 1000,
        "reload, ms until interactive": again,
    }
    studio = Studio(page, url)
    studio.node("7").wait_for()
    client = context.new_cdp_session(page)
    client.send("Performance.enable")
    page.wait_for_timeout(RESTED_MS)
    page.evaluate(OPENING)
    studio.drop(page.locator(".panel"), "wall.json", "application/json", workflow())
    figures[f"open {NODES:,} nodes, ms from the drop to the picture"] = page.evaluate("window.opened_")
    page.wait_for_timeout(500)
    for label, gesture in (("pan, all in view", pan), ("zoom in", zoom), ("pan, readable", pan)):
        median, slow, busy = frames(page, client, gesture)
        figures |= {f"{label}: p50 ms": median, f"{label}: p95 ms": slow, f"{label}: main thread, ms a frame": busy}
        page.wait_for_timeout(300)
    figures["elements in the document"] = page.evaluate("document.querySelectorAll('*').length")
    context.close()
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="repeats, the best of each figure counts (default 3)")
    repeat = parser.parse_args().repeat
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), DEMO.parents[1]) as url,
        sync_playwright() as driver,
    ):
        wait_until_ready(url)
        browser = driver.chromium.launch(executable_path=finder.find(), headless=True, args=list(FLAGS))
        runs = [measure(browser, url) for _ in range(repeat)]
        browser.close()
    for name in runs[0]:
        goal = f"   at most {GOALS[name]}" if name in GOALS else ""
        print(f"{name:60} {min(run[name] for run in runs):10.1f}{goal}")
    print(f"at the end {load()}; the figures are those of the machine only where little else ran")


if __name__ == "__main__":
    main()
