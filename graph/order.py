"""Nodes in the order in which they can run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graph.bind import Node
from graph.problems import Problem, Problems

NodeId = str


def ordered(nodes: Mapping[NodeId, Node], problems: Problems) -> dict[NodeId, Node]:
    """Each node after those it reads from, depth first, so that one branch is done before the next is begun."""
    order: dict[NodeId, Node] = {}
    path: dict[NodeId, None] = {}
    for root in nodes:
        stack = [root]
        while stack:
            id = stack[-1]
            if id in order or id not in nodes:
                stack.pop()
            elif id in path:
                stack.pop()
                del path[id]
                order[id] = nodes[id]
            else:
                path[id] = None
                for name, link in nodes[id].links.items():
                    if link.node in path:
                        problems.append(_cycle(id, name, link.node, path, nodes))
                    elif link.node not in order:
                        stack.append(link.node)
    return order


def _cycle(id: NodeId, port: str, back: NodeId, path: Iterable[NodeId], nodes: Mapping[NodeId, Node]) -> Problem:
    ids = list(path)
    ids = ids[ids.index(back) :]
    names = [f"{id} {nodes[id].spec.title}" for id in ids]
    if len(names) > 10:
        names[5:-4] = [f"({len(names) - 9} more)"]
    message = f"node {id}: input {port} closes a cycle: {' -> '.join([*names, names[0]])}"
    return Problem("cycle", id, port, message, "a graph without cycles", f"a cycle of {len(ids)} nodes")
