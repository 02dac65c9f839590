"""The workload every editor is given: N nodes with six widgets each and 1.5 links a node, on a grid.

One node in eight carries a prompt of several lines, some of it Chinese. Links run to the node before and, for every
second node, to one a column further back, as pipelines do.
"""

from __future__ import annotations

from collections.abc import Mapping

COLUMN = 320
ROW = 420
WIDTH = 248
PROMPT = "a quiet harbour at dusk, long exposure\n远处的灯塔，海面上有薄雾\nfilm grain, soft light"

Graph = Mapping[str, list[dict[str, object]]]


def side(count: int) -> int:
    """Nodes in a row of the grid: a wall about as wide as a screen is."""
    return max(1, round((count * 1.75 * ROW / COLUMN) ** 0.5))


def graph(count: int) -> Graph:
    """The graph in the form `window.__bench.load` takes."""
    columns = side(count)
    nodes = [_node(index, columns) for index in range(count)]
    links: list[dict[str, object]] = []
    for index in range(1, count):
        links.append(_link(len(links), index - 1, index, 0))
        if index % 2 and index > columns:
            links.append(_link(len(links), index - columns, index, 1))
    return {"nodes": nodes, "links": links}


def bounds(count: int) -> tuple[float, float]:
    """Width and height of the wall in world units."""
    columns = side(count)
    return columns * COLUMN, -(-count // columns) * ROW


def gap(count: int, x: float, y: float) -> tuple[float, float]:
    """A point between the columns and rows of the wall near a point: no node lies there."""
    columns = side(count)
    column = min(columns - 1, max(0, round((x - WIDTH - 36) / COLUMN)))
    row = min(-(-count // columns) - 1, max(0, round((y - ROW + 24) / ROW)))
    return column * COLUMN + WIDTH + 36, row * ROW + ROW - 24


def node_at(count: int, x: float, y: float) -> str:
    """The node whose top left corner is nearest to a point."""
    columns = side(count)
    column = min(columns - 1, max(0, round(x / COLUMN)))
    row = max(0, round(y / ROW))
    return str(min(count - 1, row * columns + column))


def around(count: int, node: str, wanted: int) -> list[str]:
    """The `wanted` nodes nearest to one of them, as a block."""
    columns = side(count)
    row, column = divmod(int(node), columns)

    def distance(index: int) -> float:
        r, c = divmod(index, columns)
        return max(abs(r - row) * ROW, abs(c - column) * COLUMN)

    return [str(index) for index in sorted(range(count), key=distance)[:wanted]]


def _node(index: int, columns: int) -> dict[str, object]:
    row, column = divmod(index, columns)
    prompt = index % 8 == 0
    widgets: list[dict[str, object]] = [
        {"name": "seed", "kind": "seed", "value": 1000 + index},
        {"name": "steps", "kind": "number", "value": 20, "min": 1, "max": 100, "step": 1},
        {"name": "cfg", "kind": "slider", "value": 7.5, "min": 0, "max": 30, "step": 0.5},
        {"name": "sampler", "kind": "combo", "value": "euler", "options": ["euler", "heun", "dpmpp_2m"]},
        {"name": "tiled", "kind": "toggle", "value": index % 3 == 0},
        {"name": "text", "kind": "textarea", "value": PROMPT}
        if prompt
        else {"name": "label", "kind": "text", "value": f"采样 {index}"},
    ]
    return {
        "id": str(index),
        "type": "BenchPrompt" if prompt else "BenchSampler",
        "title": f"Sampler {index}",
        "x": column * COLUMN,
        "y": row * ROW,
        "w": WIDTH,
        "h": ROW - 60,
        "inputs": [{"name": "latent", "type": "Latent"}, {"name": "model", "type": "Model"}],
        "outputs": [{"name": "latent_out", "type": "Latent"}, {"name": "model_out", "type": "Model"}],
        "widgets": widgets,
    }


def _link(id: int, source: int, target: int, slot: int) -> dict[str, object]:
    kind = "Model" if slot else "Latent"
    return {"id": id, "from": str(source), "fromSlot": slot, "to": str(target), "toSlot": slot, "type": kind}
