"""The editor against its goals and against two libraries: frames, operations, opening, memory, in headless Chromium.

`python -m bench.editor [--nodes N ...] [--editors NAME ...] [--parts NAME ...]` starts a server on a data folder of
its own and drives a real browser without a GPU. Weft is measured whole, its map open. Frame times are those of
requestAnimationFrame while real input arrives every 8 ms; main-thread and script times are CPU time from the
browser's trace, a frame. With `--repeat N` a figure is the least of N, of `growth` the median. `--parts memory
--minutes 30` edits at random for that long. `floor` is a page that only fills its canvas. References need `npm ci` in
bench/editor; without it they are left out, and said to be.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.editor import frames, operations
from bench.editor.editors import NAMES, missing, opened
from bench.editor.graph import graph
from bench.http import load
from tests import browser as finder
from tests.web.conftest import DEMO, FLAGS, serving, wait_until_ready

NODES = (100, 1000, 3000, 10_000)
PARTS = ("frames", "growth", "operations", "memory", "work", "core")
FEW, MANY = 100, 3000
SLOW = {"xyflow": 1000, "litegraph": 3000}


def table(browser: Browser, url: str, names: list[str], options: argparse.Namespace) -> None:
    """p50/p95 of a frame · main thread · script, in ms, a cell."""
    wanted = options.gestures
    print(f"{'nodes':>6} {'editor':10} {'load ms':>8} " + " ".join(f"{each:>24}" for each in wanted))
    for count in options.nodes:
        workload = graph(count)
        for name in names:
            if count > SLOW.get(name, max(NODES)):
                continue
            with opened(browser, name, url) as subject:
                opening = min(subject.load(workload) for _ in range(2))
                cells = [frames.measure(subject, count, each, options.seconds, options.repeat) for each in wanted]
            print(f"{count:>6} {name:10} {opening:>8.0f} " + " ".join(f"{cell!s:>24}" for cell in cells), flush=True)


def growth(browser: Browser, url: str, options: argparse.Namespace) -> None:
    """What a gesture costs the main thread with many nodes and with few, in turns, as the machine's pace drifts."""
    for gesture in options.gestures:
        costs: dict[int, list[float]] = {FEW: [], MANY: []}
        for _ in range(max(3, options.repeat)):
            for count, figures in costs.items():
                with opened(browser, "weft", url) as subject:
                    subject.load(graph(count))
                    figures.append(frames.measure(subject, count, gesture, options.seconds, 1).main)
        few, many = (statistics.median(figures) for figures in costs.values())
        print(f"{gesture:9} main thread, ms a frame: {few:.2f} at {FEW}, {many:.2f} at {MANY}: {many / few:.2f} x")


def others(browser: Browser, url: str, options: argparse.Namespace) -> None:
    """Operations, memory and frames while nodes are at work, with 1,000 nodes."""
    count, parts = 1000, options.parts
    workload = graph(count)
    if "operations" in parts:
        with opened(browser, "weft", url) as subject:
            for name, (call, painted) in operations.operations(subject, workload, count).items():
                print(f"{name:32} {call:8.1f} ms, painted after {painted:8.1f}", flush=True)
    if "memory" in parts:
        with opened(browser, "weft", url) as subject:
            for name, figure in operations.memory(subject, workload, count, options.edits, options.minutes).items():
                print(f"{name:40} {figure:8.1f}", flush=True)
    if "work" in parts:
        with opened(browser, "weft", url) as subject:
            cell = operations.at_work(subject, workload, count, options.seconds, options.repeat)
            print(f"pan while nodes are at work: {cell}", flush=True)
    if "core" in parts:
        subprocess.run(["node", str(Path(__file__).parent / "core.mjs")], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=list(NODES))
    parser.add_argument("--editors", nargs="+", default=list(NAMES), choices=NAMES)
    parser.add_argument("--gestures", nargs="+", default=list(frames.GESTURES), choices=frames.GESTURES)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--edits", type=int, default=2000, help="random edits of the memory part (default 2000)")
    parser.add_argument("--minutes", type=float, default=0, help="how long the memory part goes on editing")
    parser.add_argument("--seconds", type=float, default=1.5, help="how long a gesture lasts (default 1.5)")
    parser.add_argument("--repeat", type=int, default=1, help="repeats of a gesture, the least of each figure counts")
    options = parser.parse_args()
    names = [name for name in options.editors if not missing(name)]
    for name in set(options.editors) - set(names):
        print(f"{name} is left out: run `npm ci` in bench/editor to have it.")
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), DEMO.parents[1]) as url,
        sync_playwright() as driver,
    ):
        wait_until_ready(url)
        browser = driver.chromium.launch(executable_path=finder.find(), headless=True, args=list(FLAGS))
        if "frames" in options.parts:
            table(browser, url, names, options)
        if "growth" in options.parts:
            growth(browser, url, options)
        others(browser, url, options)
        browser.close()
    print(f"at the end {load()}; the figures are those of the machine only where little else ran")


if __name__ == "__main__":
    main()
