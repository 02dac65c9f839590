"""Single operations on a large graph, memory, and frames while nodes are at work."""

from __future__ import annotations

import time

from bench.editor import frames
from bench.editor.editors import Subject
from bench.editor.graph import Graph, around, bounds, node_at

OPERATIONS = """async ([graph, chosen]) => {
    const { editor, view } = window.__bench;
    const timed = async act => {
        const start = performance.now();
        act();
        const done = performance.now();
        await view.painted();
        return [done - start, performance.now() - start];
    };
    const best = async (before, act) => {
        const runs = [];
        for (let round = 0; round < 5; round++) {
            before();
            await view.painted();
            await new Promise(done => setTimeout(done, 250));
            runs.push(await timed(act));
        }
        return [Math.min(...runs.map(run => run[0])), Math.min(...runs.map(run => run[1]))];
    };
    const nothing = () => {};
    const move = () => {
        const place = editor.document.places.get(chosen[0]);
        editor.edit([{ kind: "place", id: chosen[0], place: { ...place, x: place.x + 40 } }]);
    };
    const figures = {};
    figures["undo of a move"] = await best(move, () => editor.undo());
    figures["redo of a move"] = await best(() => { move(); editor.undo(); }, () => editor.redo());
    editor.select(chosen);
    const part = editor.copy();
    const paste = () => editor.paste(part, { x: -3000, y: 9000 });
    paste();
    figures["paste of 100 nodes"] = await best(() => editor.undo(), paste);
    editor.undo();
    figures["undo of a paste"] = await best(paste, () => editor.undo());
    const here = editor.desk();
    const there = () => editor.open({ version: 1, nodes: {} });
    figures["switch of tabs"] = await best(there, () => editor.put(here));
    const all = () => editor.select(editor.document.nodes.keys());
    figures["selection of all"] = await best(() => editor.select([]), all);
    figures["tidy"] = await best(nothing, () => editor.arrange());
    return figures;
}"""
EDITS = """async ([count, most, seed]) => {
    const { editor, view } = window.__bench;
    let state = seed;
    const next = limit => {
        state = (state * 1103515245 + 12345) % 2147483648;
        return Math.floor(state / 65536) % limit;
    };
    for (let step = 0; step < count; step++) {
        const ids = [...editor.document.nodes.keys()];
        const id = ids[next(ids.length)];
        const place = editor.document.places.get(id);
        const kind = next(8);
        if (kind < 2) editor.edit([{ kind: "place", id, place: { ...place, x: place.x + next(200) - 100 } }]);
        else if (kind === 2) editor.setInput(id, "steps", next(100));
        else if (kind < 5) {
            editor.select([id]);
            if (ids.length > most) editor.removeSelected();
            else editor.duplicate();
        }
        else if (kind === 5) editor.undo();
        else if (kind === 6) editor.redo();
        else view.setCamera({ x: -next(6000), y: -next(4000), scale: 0.2 + next(10) / 10 });
        if (step % 4 === 0) await new Promise(done => requestAnimationFrame(done));
        if (step % 100 === 0) await new Promise(done => setTimeout(done, 300));
    }
}"""


def operations(subject: Subject, content: Graph, count: int) -> dict[str, tuple[float, float]]:
    """Milliseconds of each operation: the call alone, and until it is painted."""
    subject.load(content)
    chosen = around(count, node_at(count, *(side / 2 for side in bounds(count))), 100)
    frames.aim(subject, count, 1.0)
    return subject.page.evaluate(OPERATIONS, [content, chosen])


def heap(subject: Subject) -> float:
    """Megabytes of the JavaScript heap after a collection."""
    subject.client.send("HeapProfiler.enable")
    for _ in range(2):
        subject.client.send("HeapProfiler.collectGarbage")
    return subject.client.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def memory(subject: Subject, content: Graph, count: int, edits: int, minutes: float) -> dict[str, float]:
    """Heap, elements and tiles with the graph open, and how the heap grows over random edits once history is full."""

    def settled() -> float:
        frames.aim(subject, count, 0.5)
        return heap(subject)

    subject.load(content)
    figures = {"heap, MB": settled()}
    figures["elements"] = subject.page.evaluate("document.querySelectorAll('*').length")
    end = time.monotonic() + 60 * minutes
    subject.page.evaluate(EDITS, [edits, count, 1])
    before, rounds = settled(), 1
    while rounds == 1 or time.monotonic() < end:
        rounds += 1
        subject.page.evaluate(EDITS, [edits, count, rounds])
    after = settled()
    tiles = subject.page.evaluate("window.__bench.tiles()")
    figures["heap after edits, MB"] = before
    figures[f"growth over {(rounds - 1) * edits} more edits, %"] = 100 * (after / before - 1)
    figures["elements after edits"] = subject.page.evaluate("document.querySelectorAll('*').length")
    figures["tiles, screens"] = tiles["tiles"] / tiles["screen"]
    return figures


def at_work(subject: Subject, content: Graph, count: int, seconds: float, repeat: int) -> frames.Cell:
    """Panning while four nodes in view report progress and ten previews a second come in."""
    subject.load(content)
    nodes = around(count, node_at(count, *(side / 2 for side in bounds(count))), 4)
    start = "async ids => { window.stop_ = await window.__bench.work(ids, 10); }"
    subject.page.evaluate(start, nodes)
    cell = frames.measure(subject, count, "pan", seconds, repeat)
    subject.page.evaluate("window.stop_()")
    return cell
