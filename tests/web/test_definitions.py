"""Every built-in node is told in Chinese too: title, category, ports, and help that says what each input takes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from graph.node import NodeSpec
from nodes import builtin

ROOT = Path(__file__).parents[2]
STRINGS = ROOT / "web/strings/zh"
AREAS = ("definitions", "later/help")


@pytest.fixture(scope="module")
def table() -> Mapping[str, str]:
    areas = (
        (STRINGS / f"{area}.js").read_text("utf-8").split(f"export const {Path(area).name} = ", 1)[1] for area in AREAS
    )
    return {key: text for area in areas for key, text in json.loads(re.sub(r",\s*\};\s*$", "}", area)).items()}


@pytest.mark.parametrize("spec", builtin(), ids=lambda spec: spec.id)
def test_a_node_is_told_in_chinese(spec: NodeSpec, table: Mapping[str, str]) -> None:
    ports = [port.name for port in (*spec.inputs, *spec.outputs)]
    wanted = {f"title.{spec.id}", f"help.{spec.id}", f"category.{spec.category}", *(f"port.{name}" for name in ports)}
    assert wanted - set(table) == set()
    assert [port.name for port in spec.inputs if not re.search(rf"\b{port.name}\b.*: ", table[f"help.{spec.id}"])] == []


def test_titles_written_into_templates_are_told(table: Mapping[str, str]) -> None:
    templates = [*(ROOT / "web/templates").glob("*.json"), *(ROOT / "docs/workflows").glob("*.json")]
    nodes = [node for path in templates for node in json.loads(path.read_text("utf-8"))["nodes"].values()]
    titles = {f"written.{node['title']}" for node in nodes if "title" in node}
    assert {key for key in table if key.startswith("written.")} == titles


def test_no_node_is_told_that_is_none(table: Mapping[str, str]) -> None:
    known = {spec.id for spec in builtin()} | {"Reroute", "Note"}
    told = {key.partition(".")[2] for key in table if key.startswith(("title.", "help."))}
    assert told - known == set()


def test_titles_of_a_template_wait_for_the_sentences_that_come_later(browser: Browser, server: str) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/later.js", hold)
    with page.expect_response("**/templates/attention-maps"):
        page.goto(f"{server}#template=attention-maps")
    while not held:
        page.wait_for_timeout(20)
    for route in held:
        route.continue_()
    expect(page.locator('.node[data-node="2"] .node-title')).to_have_text("提示词")
    context.close()
