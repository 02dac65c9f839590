"""Writes docs/nodes.md from the node definitions; `python -m docs.generate` after changing a node."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from graph.node import NodeSpec, Port
from nodes import builtin

TARGET = Path(__file__).parent / "nodes.md"


def nodes_page() -> str:
    """Markdown reference of every built-in node, by category."""
    specs = sorted(builtin(), key=lambda s: (s.category, s.id))
    parts = ["# Built-in nodes\n\nGenerated from the node functions by `python -m docs.generate`; do not edit.\n"]
    for category, members in groupby(specs, key=lambda s: s.category):
        parts.append(f"\n## {category}\n")
        parts.extend(_node(spec) for spec in members)
    return "".join(parts)


def _node(spec: NodeSpec) -> str:
    rows = "".join(_row("in", port) for port in spec.inputs) + "".join(_row("out", port) for port in spec.outputs)
    table = f"| | name | type | default |\n|---|---|---|---|\n{rows}"
    return f"\n### {spec.id}\n\n{spec.doc}\n\n{table}"


def _row(side: str, port: Port) -> str:
    known = port.to_json()
    default = f"`{known['default']!r}`" if "default" in known else ("optional" if port.optional else "")
    return f"| {side} | {port.name} | {port.type} | {default if side == 'in' else ''} |\n"


if __name__ == "__main__":
    TARGET.write_text(nodes_page(), "utf-8")
