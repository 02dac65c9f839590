"""Without a mouse: what is drawn, where the keyboard goes, and what is said of it."""

from __future__ import annotations

import json
import re
from typing import cast

from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import Studio


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_nodes_and_frames_are_moved_made_larger_and_coloured(studio: Studio) -> None:
    page = studio.page
    told = page.locator(".spoken-edits")
    told.wait_for(state="attached")
    studio.node("4").focus()
    press(page, "Shift+ArrowRight", "Shift+ArrowRight")
    place = studio.document()["view"]["nodes"]["4"]
    assert place == {"x": 0, "y": 208, "w": 264}
    expect(told).to_have_text("Resized (1)")
    press(page, "Shift+ArrowUp")  # nothing in it could be lower
    assert studio.document()["view"]["nodes"]["4"] == place
    press(page, "Control+z")
    assert studio.document()["view"]["nodes"]["4"] == {"x": 0, "y": 208}
    expect(told).to_have_text("Undone: Resized (1)")
    studio.node("2").focus()
    press(page, "Shift+ArrowDown")
    height = studio.document()["view"]["nodes"]["2"]["h"]
    press(page, "Shift+ArrowDown")
    assert studio.document()["view"]["nodes"]["2"]["h"] == int(str(height)) + 8

    studio.node("4").focus()
    press(page, "Control+g")
    page.keyboard.type("start")
    press(page, "Enter")
    expect(studio.node("4")).to_be_focused()
    before = cast("dict[str, int]", studio.document()["view"]["frames"]["a"])
    press(page, "ArrowRight", "Shift+ArrowDown", "Shift+ArrowLeft")
    after = studio.document()["view"]
    assert after["nodes"]["4"] == {"x": 8, "y": 208, "frame": "a"}
    assert after["frames"]["a"] == {**before, "x": before["x"] + 8, "w": before["w"] - 8, "h": before["h"] + 8}
    press(page, "ContextMenu")
    expect(page.get_by_role("menuitem", name="Name the frame")).to_be_focused()
    page.get_by_role("menuitem", name="Blue").focus()
    press(page, "Enter")
    assert studio.document()["view"]["frames"]["a"]["colour"] == "blue"
    expect(studio.node("4")).to_be_focused()
    press(page, "Escape", "Control+Shift+O")
    expect(page.get_by_role("treeitem").first).to_be_focused()
    press(page, "End")
    expect(page.get_by_role("treeitem", name="Frame: start , Nodes: 1", exact=True)).to_be_focused()
    press(page, "Enter", "Control+Shift+g")
    assert studio.document()["view"].get("frames", {}) == {}
    assert studio.complaints == []


def test_any_nodes_are_chosen_by_keys(studio: Studio) -> None:
    page = studio.page
    selected = page.locator(".node.selected")
    studio.node("2").focus()
    press(page, "Alt+Shift+ArrowDown")
    expect(studio.node("3")).to_be_focused()
    expect(selected).to_have_count(2)
    studio.node("1").focus()
    press(page, "Control+Shift+O")
    expect(page.get_by_role("treeitem").first).to_be_focused()
    press(page, "End", "Space")
    expect(page.get_by_role("treeitem", selected=True)).to_have_count(2)
    press(page, "Space", "ArrowUp", "Space", "ArrowUp", "Space")
    assert selected.evaluate_all("all => all.map(each => each.dataset.node)") == ["1", "5", "6"]
    press(page, "Control+Shift+O")
    expect(page.locator(".canvas")).to_be_focused()
    press(page, "p")
    pinned = {id for id, place in studio.document()["view"]["nodes"].items() if place.get("pinned")}
    assert pinned == {"1", "5", "6"}
    assert studio.complaints == []


def test_the_focus_is_never_lost(studio: Studio) -> None:
    page, canvas = studio.page, studio.page.locator(".canvas")
    studio.attended()
    studio.node("5").focus()
    press(page, "F2")
    page.keyboard.type("sampler")
    press(page, "Alt+n", "Enter")
    expect(studio.node("5")).to_be_focused()
    expect(page.locator(".tab")).to_have_count(1)
    assert studio.document()["nodes"]["5"]["title"] == "sampler"
    studio.node("4").focus()
    press(page, "Control+d")
    expect(studio.node("8")).to_be_focused()
    press(page, "Delete")
    expect(canvas).to_be_focused()
    expect(page.locator(".spoken-edits")).to_have_text("Removed Empty latent")
    press(page, "Alt+ArrowRight")  # goes on from where it was
    expect(studio.node("3")).to_be_focused()
    press(page, "Control+Shift+E")
    expect(page.get_by_role("group", name=re.compile("^Component"))).to_be_focused()
    press(page, "Control+ArrowDown")
    expect(canvas).to_be_focused()
    expect(page.locator(".spoken-edits")).to_have_text("In the component Component")
    press(page, "Control+a", "Control+Shift+E")
    expect(page.get_by_role("group", name=re.compile("^Component 2"))).to_be_visible()
    press(page, "Control+ArrowDown", "Control+z")
    expect(page.locator(".crumbs")).to_have_text("WorkflowComponent")
    expect(page.locator(".spoken-edits")).to_have_text(
        "Undone: Made the component Component 2. In the component Component"
    )
    press(page, "Control+ArrowUp")
    expect(page.get_by_role("group", name=re.compile("^Component"))).to_be_focused()

    studio.node("4").get_by_label("width", exact=True).focus()
    page.keyboard.type("256")
    press(page, "Tab")
    expect(studio.node("4").get_by_label("height", exact=True)).to_be_focused()
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.focus()
    press(page, "Escape")
    expect(studio.node("2")).to_be_focused()
    for place in ("panel", "bar", "rail", "canvas", "panel"):
        press(page, "F6")
        expect(page.locator(f".{place}").locator(":focus")).to_have_count(1)
    press(page, "Escape")
    expect(studio.node("2")).to_be_focused()
    for keys, field in (("g", "Search prompts, models, seeds"), ("l", "Filter nodes")):
        press(page, keys)
        expect(page.get_by_label(field)).to_be_focused()
        press(page, "Escape")
        expect(studio.node("2")).to_be_focused()
        press(page, keys)
    press(page, "?")
    expect(
        page.get_by_role("dialog", name="Keyboard shortcuts").get_by_role("button", name="Close", exact=True)
    ).to_be_focused()
    keys = page.get_by_role("button", name=re.compile("^Keys of Mute"))
    keys.focus()
    press(page, "Enter")
    press(page, "Control+9")
    expect(keys).to_be_focused()
    expect(keys).to_have_text(re.compile(r"Ctrl\+9"))
    press(page, "Escape")
    expect(studio.node("2")).to_be_focused()
    press(page, "f")
    expect(page.locator(".form").get_by_role("button", name="Show the graph")).to_be_focused()
    press(page, "Enter")
    expect(studio.node("2")).to_be_focused()
    canvas.focus()
    press(page, "Escape")
    here = page.evaluate("document.querySelector('.nodes').style.transform")
    press(page, "ArrowDown")
    page.wait_for_function("before => document.querySelector('.nodes').style.transform !== before", arg=here)
    assert studio.complaints == []


def test_what_is_wrong_is_read_above_the_nodes_it_lies_over(studio: Studio) -> None:
    """All nodes selected, a node just under the one that fails: its message lies on top once the node is reached."""
    page = studio.attended().page
    nodes = {"1": {"type": "SaveImage", "inputs": {}}, "2": {"type": "EmptyLatent", "inputs": {}}}
    places = {"1": {"x": 0, "y": 0}, "2": {"x": 0, "y": 160}}
    document = {"version": 1, "nodes": nodes, "view": {"nodes": places}}
    studio.drop(page.locator(".canvas"), "near.json", "application/json", json.dumps(document).encode())
    expect(page.locator(".node")).to_have_count(2)
    press(page, "Control+Enter")
    problem = studio.node("1").locator(".node-problem")
    expect(problem).to_be_visible()
    on_top = "problem => {const {x, y, width, height} = problem.getBoundingClientRect();"
    on_top += "return problem.contains(document.elementFromPoint(x + width / 2, y + height - 4));}"
    studio.node("2").focus()
    press(page, "Control+a")
    assert not problem.evaluate(on_top)
    studio.node("1").focus()
    assert problem.evaluate(on_top)
    studio.node("2").focus()
    studio.node("1").locator(".node-title").hover()
    assert problem.evaluate(on_top)
    page.mouse.move(0, 0)
    page.set_viewport_size({"width": 1280, "height": 300})
    studio.node("1").focus()
    press(page, "0", "+", "+")
    expect(page.locator(".nodes.moving")).to_have_count(0)
    for _ in range(4):
        press(page, "Tab")
    fix = problem.get_by_role("button").first
    expect(fix).to_be_focused()
    expect(fix).to_be_in_viewport(ratio=0.99)
    assert page.evaluate("document.scrollingElement.scrollTop") == 0  # the view moved, not the page


def test_the_item_of_a_menu_that_has_the_focus_is_seen_in_the_colours_of_the_system(
    browser: Browser, server: str
) -> None:
    context = browser.new_context(forced_colors="active", reduced_motion="reduce")
    page = context.new_page()
    Studio(page, server).open().node("5").focus()
    press(page, "ContextMenu")
    item = page.get_by_role("menuitem", name="Rename")
    expect(item).to_be_focused()
    expect(item).to_have_css("outline-style", "solid")
    assert item.evaluate("item => getComputedStyle(item).outlineColor !== getComputedStyle(item).backgroundColor")
    context.close()


def test_a_template_opened_by_keys_has_the_focus(studio: Studio) -> None:
    page = studio.attended().page
    studio.node("5").focus()
    press(page, "Control+k")
    page.get_by_role("combobox", name="Find a command").fill("templates")
    press(page, "Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name=re.compile("^Text to image")).first).to_be_visible()
    page.get_by_label("Find a template").fill("merge")
    press(page, "Tab", "Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator(".canvas")).to_be_focused()
    assert studio.complaints == []


def test_lists_say_which_option_the_keys_are_on(studio: Studio) -> None:
    page = studio.page
    sampler = studio.node("5").get_by_role("combobox", name="sampler", exact=True)
    sampler.focus()
    press(page, "Enter")
    search = page.get_by_role("searchbox", name="Search sampler")
    expect(search).to_be_focused()
    spoken = "box => document.getElementById(box.getAttribute('aria-activedescendant'))?.textContent"
    assert search.evaluate(spoken) == "euler"
    press(page, "ArrowDown")
    named = str(search.evaluate(spoken))
    expect(page.get_by_role("option", name=named, exact=True)).to_have_attribute("aria-selected", "true")
    page.keyboard.type("no such sampler")
    expect(page.get_by_role("listbox", name="sampler").get_by_role("option")).to_have_attribute("aria-disabled", "true")
    assert search.get_attribute("aria-activedescendant") is None
    press(page, "Escape")
    expect(sampler).to_be_focused()
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.focus()
    count = studio.node("2").locator(".token-count")
    expect(count).to_have_accessible_name("6 / 75 tokens, chunks: 1. Show them")
    press(page, "Tab", "Enter")
    expect(page.get_by_role("dialog", name="Tokens of the prompt")).to_be_focused()
    press(page, "Escape")
    expect(count).to_be_focused()
    press(page, "Tab")
    expect(count).to_have_count(0)
    assert studio.complaints == []


def test_links_are_walked_heard_and_changed(studio: Studio) -> None:
    page = studio.page
    told = page.locator(".spoken-edits")
    told.wait_for(state="attached")
    studio.node("6").focus()
    press(page, "w")
    expect(told).to_have_text("Link: vae of Load checkpoint to vae of VAE decode")
    press(page, "Shift+W")
    expect(told).to_have_text("Link: image of VAE decode to image of Save image")
    press(page, "w", "w")
    expect(told).to_have_text("Link: latent of KSampler to latent of VAE decode")

    press(page, "c")  # another source
    page.get_by_role("combobox", name="Find what fits").wait_for()
    page.keyboard.type("from empty")
    press(page, "Enter")
    assert studio.document()["nodes"]["6"]["inputs"]["latent"] == {"node": "4", "output": "latent"}
    expect(told).to_have_text("Another link to latent of VAE decode")
    press(page, "Control+z")
    assert studio.document()["nodes"]["6"]["inputs"]["latent"] == {"node": "5", "output": "latent"}

    press(page, "Shift+F10")  # the menu is that of the link, and leaves it selected
    page.get_by_role("menuitem", name="Put a reroute into the link").wait_for()
    press(page, "Escape", "i")
    page.get_by_role("combobox", name="Search nodes").wait_for()
    page.keyboard.type("upscale latent")
    press(page, "Enter")
    between = page.locator(".node:focus")
    id = str(between.get_attribute("data-node"))
    nodes = studio.document()["nodes"]
    assert nodes["6"]["inputs"]["latent"] == {"node": id, "output": "latent"}
    assert nodes[id]["inputs"]["latent"] == {"node": "5", "output": "latent"}
    press(page, "Control+z")
    assert id not in studio.document()["nodes"]

    studio.node("1").focus()
    press(page, "w", "w")
    expect(told).to_have_text(re.compile("^Link: model of Load checkpoint|^Link: clip of Load checkpoint"))
    press(page, "Alt+ArrowRight")
    expect(page.locator(".node:focus")).to_have_attribute("data-node", re.compile("^[235]$"))
    studio.node("7").focus()
    press(page, "w", "r")
    assert studio.document()["nodes"]["7"]["inputs"]["image"] == {"node": "9", "output": "value"}
    press(page, "Control+z")
    studio.node("7").focus()
    press(page, "w", "Delete")
    assert "image" not in studio.document()["nodes"]["7"]["inputs"]
    expect(told).to_have_text("Unlinked image of Save image")
    assert studio.complaints == []
