"""Every built-in node is told in Chinese too: title, category, ports, and help that says what each input takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from graph.node import NodeSpec
from nodes import builtin

TABLE = Path(__file__).parents[2] / "web/strings/zh/definitions.js"


@pytest.fixture(scope="module")
def table() -> Mapping[str, str]:
    body = TABLE.read_text("utf-8").split("export const definitions = ", 1)[1]
    return json.loads(re.sub(r",\s*\};\s*$", "}", body))


@pytest.mark.parametrize("spec", builtin(), ids=lambda spec: spec.id)
def test_a_node_is_told_in_chinese(spec: NodeSpec, table: Mapping[str, str]) -> None:
    ports = [port.name for port in (*spec.inputs, *spec.outputs)]
    wanted = {f"title.{spec.id}", f"help.{spec.id}", f"category.{spec.category}", *(f"port.{name}" for name in ports)}
    assert wanted - set(table) == set()
    assert [port.name for port in spec.inputs if not re.search(rf"\b{port.name}\b.*: ", table[f"help.{spec.id}"])] == []


def test_no_node_is_told_that_is_none(table: Mapping[str, str]) -> None:
    known = {spec.id for spec in builtin()} | {"Reroute", "Note"}
    told = {key.partition(".")[2] for key in table if key.startswith(("title.", "help."))}
    assert told - known == set()
