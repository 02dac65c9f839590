"""What can do without what failed: a list of `T | None` comes with None for the items that could not be made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Set
from dataclasses import dataclass, replace

from graph.bind import Node
from graph.cache import Cache
from graph.events import Estimate, Event
from graph.graph import Graph, NodeId
from graph.plan import Plan
from graph.values import encode_text


@dataclass(frozen=True)
class Rest:
    """What is still to be run after a failure, and of which nodes all has been told."""

    graph: Graph
    targets: Collection[NodeId]
    told: Set[NodeId]

    def telling(self, emit: Callable[[Event], None]) -> Callable[[Event], None]:
        """`emit` for what is not told yet."""
        return lambda event: None if isinstance(event, Estimate) or event.node in self.told else emit(event)


def rest_of(plan: Plan, failed: Set[NodeId], dead: Set[NodeId], cache: Cache) -> Rest | None:
    """What can be run of a plan though nodes have failed; None where that is nothing, or would compute again what this
    run has made. `failed` are those and what is lost with them, `dead` all that made nothing."""
    nodes, spared = _without(plan.graph, failed)
    read = {link.node for id in spared if id in plan.position for link in nodes[id].links.values()}
    for i in (plan.position[id] for id in read):
        record = plan.records[i]
        if i in plan.transient or (record is not None and not cache.holds(record)):
            return None
    targets = [id for i in plan.targets if (id := plan.ids[i]) in nodes and id in dead]
    return Rest(Graph(nodes), targets, plan.position.keys() - dead) if targets else None


def _without(graph: Graph, failed: Set[NodeId]) -> tuple[dict[NodeId, Node], list[NodeId]]:
    """The nodes of a graph that can run without the failed ones, and which of them get fewer items for it."""
    nodes: dict[NodeId, Node] = {}
    spared: list[NodeId] = []
    for id, node in graph.nodes.items():
        links = {name: link for name, link in node.links.items() if link.node in nodes}
        if id in failed and not any(link.node in failed for link in node.links.values()):
            continue
        if len(links) == len(node.links):
            nodes[id] = node
        elif _can_spare(node, node.links.keys() - links.keys(), links.keys()):
            gone = ",".join(name for name in node.links if name not in links)
            sources = b"".join(encode_text(link.output) for link in links.values())
            nodes[id] = replace(node, links=links, head=node.head + encode_text(gone), sources=sources)
            spared.append(id)
    return nodes, spared


def _can_spare(node: Node, gone: Set[str], left: Set[str]) -> bool:
    lists = [names for _, names in node.gathers if gone & set(names)]
    spare = node.of is None and all(node.spec.port(name).spare for name in gone)
    return spare and all(left & set(names) for names in lists)
