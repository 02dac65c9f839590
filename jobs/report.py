"""What commands print as their result, as text for a person or as one JSON document."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from graph.context import OutputFile
from graph.executor import Outcome
from graph.node import NodeSpec
from graph.problems import Problem
from jobs.fsck import Difference
from jobs.summary import NodeState


def written_files(outcome: Outcome) -> dict[str, list[OutputFile]]:
    """The files of each target that made (or, cached, had made) some."""
    found: dict[str, list[OutputFile]] = {}
    for node, outputs in outcome.outputs.items():
        members = outputs.get("files")
        if isinstance(members, list):
            found[node] = [file for file in cast("list[object]", members) if isinstance(file, OutputFile)]
    return found


def run_text(files: Mapping[str, Sequence[OutputFile]], folders: Mapping[str, Path]) -> str:
    """One path a line."""
    return "\n".join(str(folders[file.folder] / file.name) for listed in files.values() for file in listed)


def run_json(
    outcome: Outcome,
    nodes: Mapping[str, NodeState],
    files: Mapping[str, Sequence[OutputFile]],
    folders: Mapping[str, Path],
) -> str:
    """`{"state", "nodes", "outputs": {id: [{"path", "media_type", "width", "height"}]}, "error"}`"""
    outputs = {
        node: [{"path": str(folders[file.folder] / file.name), **_facts(file)} for file in listed]
        for node, listed in files.items()
    }
    error = outcome.error.to_json() if outcome.error else None
    return json.dumps({"state": outcome.state, "nodes": nodes, "outputs": outputs, "error": error}, indent=1)


def problems_text(problems: Sequence[Problem]) -> str:
    """One problem a line, with where it is and what may have been meant."""
    return "\n".join(
        f"{_place(problem)}{problem.message}{f' ({problem.hint})' if problem.hint else ''}" for problem in problems
    )


def problems_json(problems: Sequence[Problem]) -> str:
    return json.dumps({"valid": not problems, "problems": [problem.to_json() for problem in problems]}, indent=1)


def differences_json(found: Sequence[Difference]) -> str:
    return json.dumps({"differences": [difference.to_json() for difference in found]}, indent=1)


def differences_text(found: Sequence[Difference]) -> str:
    """One difference a line, or that there is none."""
    if not found:
        return "the recorded results and the files agree"
    marks = {True: "can be repaired", False: "needs a person"}
    return _table([(each.kind, each.name, each.detail, marks[each.repairable]) for each in found])


def cache_text(tiers: Mapping[str, Mapping[str, int]]) -> str:
    """One tier a line."""
    rows = [(name, f"{tier['results']} results", f"{tier['used'] / (1 << 20):.1f} MiB") for name, tier in tiers.items()]
    return _table(rows)


def plan_text(plan: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """One node a line, with the time it is expected to take, then those that grew of it; the whole last."""
    rows: list[tuple[str, ...]] = []
    for id, node in plan["nodes"].items():
        rows.append((id, titles.get(id, "?"), str(node["state"]), _expected(node), str(node["reason"])))
        grows = node.get("grows", {})
        if grows is None:
            rows.append((f"{id}/...", "", "", "", "grows into nodes that are known when it runs"))
        else:
            rows += [(name, each["type"], "", _expected(each), "grew in the last run") for name, each in grows.items()]
    if not any("ms" in node for node in plan["nodes"].values()):
        return _table(rows)
    unknown = f", and {plan['unknown']} nodes that never ran" if plan["unknown"] else ""
    peak = f", at most {plan['peak_bytes'] / (1 << 20):.1f} MiB at a time" if plan["peak_bytes"] else ""
    return f"{_table(rows)}\nabout {plan['ms'] / 1000:.1f} s in all{peak}{unknown}"


def nodes_text(specs: Mapping[str, NodeSpec]) -> str:
    return _table([(spec.id, spec.category, spec.doc.partition("\n")[0]) for spec in specs.values()])


def models_text(models: Mapping[str, Sequence[str]]) -> str:
    return "\n".join(f"{folder}/{name}" for folder, names in models.items() for name in names)


def _expected(node: Mapping[str, Any]) -> str:
    return f"{node['ms'] / 1000:.2f} s" if "ms" in node else ""


def _facts(file: OutputFile) -> dict[str, Any]:
    return {"media_type": file.media_type, "width": file.width, "height": file.height}


def _place(problem: Problem) -> str:
    where = ".".join(part for part in (problem.node, problem.port) if part is not None)
    return f"{where}: " if where else ""


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, the last as it is."""
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(*rows)][:-1]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[-1]]).rstrip() for row in rows
    )
