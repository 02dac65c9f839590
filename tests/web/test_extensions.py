"""Modules of packs: none runs before a person allows it, and none that fails harms the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.conftest import Studio, serving, wait_until_ready

PACKS = Path(__file__).with_name("packs")
WORKFLOW = {
    "version": 1,
    "nodes": {
        "1": {"type": "tint.Brighten", "inputs": {"amount": 1.0}},
        "5": {"type": "KSampler", "inputs": {"steps": 8}},
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("data"), models, "--custom-nodes", str(PACKS)) as url:
        wait_until_ready(url)
        yield url


def allow(studio: Studio, pack: str) -> None:
    """Allow a pack as a person does, in the settings."""
    studio.page.keyboard.press("Control+,")
    with studio.page.expect_navigation():
        studio.page.get_by_role("checkbox", name=pack).click()
    studio.node("5").wait_for()


def drop(studio: Studio) -> None:
    studio.drop(studio.page.locator(".panel"), "w.json", "application/json", json.dumps(WORKFLOW).encode())
    studio.node("1").wait_for()


def test_a_pack_runs_nothing_before_it_is_allowed(studio: Studio) -> None:
    drop(studio)
    expect(studio.node("1").get_by_role("spinbutton", name="amount")).to_be_visible()
    assert not [url for url in studio.requests if "/packs/" in url]


def test_an_allowed_pack_brings_its_control(studio: Studio) -> None:
    allow(studio, "tint")
    drop(studio)
    studio.node("1").get_by_role("button", name="amount 1.5").click()
    expect(studio.node("1").get_by_role("button", name="amount 1.5")).to_have_attribute("aria-pressed", "true")
    assert studio.document()["nodes"]["1"]["inputs"]["amount"] == 1.5
    studio.button("Undo").click()
    expect(studio.node("1").get_by_role("button", name="amount 1", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    where = studio.node("1").get_by_role("switch", name="where")
    where.click()
    expect(where).to_be_checked()
    assert studio.document()["nodes"]["1"]["inputs"]["where"] == "middle"
    studio.button("About light").click()
    panel = studio.page.get_by_role("complementary", name="About light")
    brought = panel.locator("p")
    expect(brought).to_have_text("<b>Three</b> steps of light.")
    aside = "element => element.scrollWidth > element.clientWidth"
    for words in (brought, panel.get_by_role("heading")):
        words.evaluate("element => (element.textContent = 'light'.repeat(200))")
        assert not words.evaluate(aside)
        assert not panel.evaluate(aside)
    brought.evaluate("element => element.append(Object.assign(document.createElement('canvas'), { width: 2000 }))")
    assert not panel.evaluate(aside), "what is wide is scrolled by itself"
    assert brought.evaluate("element => [element.scrollLeft = 50, element.scrollLeft].at(-1)") == 50
    assert studio.complaints == []
    lines = (PACKS / "tint" / "web" / "index.js").read_text().splitlines()
    assert len(lines) <= 25


def test_a_module_that_fails_leaves_the_page_as_it_was(studio: Studio, browser: Browser) -> None:
    allow(studio, "broken")
    expect(studio.page.locator(".notice")).to_contain_text("failed: Error: broken on purpose")
    drop(studio)
    expect(studio.node("5").get_by_label("steps", exact=True)).to_have_value("8")
    studio.button("Broken panel").click()
    expect(studio.page.locator(".notice")).to_contain_text("broken on purpose")
    studio.page.keyboard.press("Control+k")
    studio.page.get_by_role("combobox", name="Find a command").fill("broken command")
    studio.page.keyboard.press("Enter")
    expect(studio.page.locator(".notice")).to_contain_text("broken.run failed")
    assert not [each for each in studio.complaints if "Content Security" in each or each.startswith("error")]


def test_a_slow_pack_holds_up_no_other_and_one_that_is_gone_is_forgotten(studio: Studio) -> None:
    allow(studio, "tint")
    allow(studio, "broken")
    studio.page.route("**/packs/broken/index.js", lambda _: None)
    studio.page.reload()
    drop(studio)
    expect(studio.node("1").get_by_role("button", name="amount 1.5")).to_be_visible()
    studio.page.route("**/api/v1/extensions", lambda route: route.fulfill(json={"packs": ["tint"]}))
    with studio.page.expect_response("**/api/v1/extensions"):
        studio.page.reload()
    allowed = "JSON.parse(localStorage.getItem('weft.settings')).packs.join()"
    studio.page.wait_for_function(f"() => {allowed} === 'tint'")


def test_a_pack_that_hung_the_page_is_not_allowed_any_more(studio: Studio) -> None:
    """What a page that hangs while the module begins leaves behind; one that is reloaded meanwhile leaves nothing."""
    allow(studio, "tint")
    studio.page.route("**/packs/tint/index.js", lambda _: None)
    studio.page.reload()
    studio.page.wait_for_function("() => localStorage.getItem('weft.beginning.tint') !== null")
    studio.page.unroute("**/packs/tint/index.js")
    studio.page.reload()
    drop(studio)
    expect(studio.node("1").get_by_role("button", name="amount 1.5")).to_be_visible()
    studio.page.wait_for_function("() => localStorage.getItem('weft.beginning.tint') === null")
    studio.page.evaluate("localStorage.setItem('weft.beginning.tint', '')")
    studio.page.reload()
    expect(studio.page.locator(".notice")).to_contain_text("hung with the pack tint")
    expect(studio.node("1").get_by_role("spinbutton", name="amount")).to_be_visible()
    assert "packs" not in json.loads(studio.page.evaluate("localStorage.getItem('weft.settings')"))


def test_what_became_of_each_pack_is_told_in_the_settings(studio: Studio) -> None:
    studio.page.keyboard.press("Control+,")
    settings = studio.page.get_by_role("dialog", name="Settings")
    expect(settings.get_by_text("nodes: 1")).to_be_visible()
    settings.get_by_text("Could not be loaded").click()
    expect(settings.locator("pre")).to_contain_text("No module named 'nothing_like_it'")
