"""Editing the graph by mouse and keyboard, in a real browser."""

from __future__ import annotations

import json
import re
from typing import Literal

from playwright.sync_api import expect

from tests.web.conftest import Studio

LINKED = re.compile(r"\blinked\b")


def test_undo_and_redo(studio: Studio) -> None:
    prompt = studio.node("2").get_by_role("textbox", name="text")
    before = prompt.input_value()
    prompt.fill("")
    prompt.type("one burst of typing")
    head = studio.node("7").locator(".node-head")
    start = head.bounding_box()
    assert start is not None
    studio.drag(head, start["x"] - 200, start["y"] - 20)
    moved = head.bounding_box()
    assert moved is not None
    assert moved["x"] < start["x"] - 50
    studio.button("Undo").click()
    assert head.bounding_box() == start
    studio.button("Undo").click()
    expect(prompt).to_have_value(before)
    expect(studio.button("Undo")).to_be_disabled()
    studio.button("Redo").click()
    studio.button("Redo").click()
    expect(prompt).to_have_value("one burst of typing")
    assert head.bounding_box() == moved


def test_add_a_node_by_search_and_link_it(studio: Studio) -> None:
    studio.page.locator(".canvas").dblclick(position={"x": 120, "y": 640})
    studio.page.keyboard.type("previ")
    expect(studio.page.locator(".search-option").first).to_contain_text("Preview image")
    studio.page.keyboard.press("Enter")
    studio.node("8").wait_for()
    studio.drag_to(studio.port("6", "output", "image"), studio.port("8", "input", "image"))
    assert studio.document()["nodes"]["8"]["inputs"]["image"] == {"node": "6", "output": "image"}
    expect(studio.port("8", "input", "image")).to_have_class(LINKED)


def test_a_link_dropped_on_empty_canvas_offers_what_fits(studio: Studio) -> None:
    studio.drag(studio.port("1", "output", "model"), 150, 700)
    expect(studio.page.locator(".search-option")).not_to_have_count(0)
    expect(studio.page.get_by_role("option", name="Save image")).to_have_count(0)
    studio.page.keyboard.type("merge")
    studio.page.keyboard.press("Enter")
    studio.node("8").wait_for()
    assert studio.document()["nodes"]["8"]["inputs"]["model_a"] == {"node": "1", "output": "model"}
    studio.button("Undo").click()
    expect(studio.node("8")).to_have_count(0)


def test_ports_that_fit_light_up_and_the_rest_say_why_not(studio: Studio) -> None:
    box = studio.port("1", "output", "vae").bounding_box()
    wrong = studio.port("5", "input", "latent").bounding_box()
    assert box is not None
    assert wrong is not None
    mouse = studio.page.mouse
    mouse.move(box["x"] + 12, box["y"] + 12)
    mouse.down()
    mouse.move(wrong["x"] + 10, wrong["y"] + 10, steps=4)
    expect(studio.port("6", "input", "vae")).to_have_class(re.compile("fits"))
    expect(studio.port("5", "input", "latent")).to_have_class(re.compile("dims"))
    expect(studio.page.locator(".note")).to_have_text("latent takes Latent, not VAE.")
    studio.page.keyboard.press("Escape")
    mouse.up()
    expect(studio.port("6", "input", "vae")).not_to_have_class(re.compile("fits"))
    expect(studio.port("5", "input", "latent")).to_have_class(LINKED)


def test_copy_paste_duplicate_and_delete(studio: Studio) -> None:
    page = studio.page
    studio.node("6").locator(".node-head").click()
    page.keyboard.press("Control+c")
    page.mouse.move(150, 650)
    page.keyboard.press("Control+v")
    studio.node("8").wait_for()
    page.keyboard.press("Control+z")
    expect(studio.node("8")).to_have_count(0)
    studio.node("6").locator(".node-head").click()
    page.keyboard.press("Control+d")
    studio.node("9").wait_for()
    assert studio.document()["nodes"]["9"]["inputs"] == studio.document()["nodes"]["6"]["inputs"]
    page.keyboard.press("Delete")
    expect(studio.node("9")).to_have_count(0)


def test_rename_by_double_click_and_undo(studio: Studio) -> None:
    title = studio.node("5").locator(".node-title")
    title.dblclick()
    studio.page.keyboard.type("Painter")
    studio.page.keyboard.press("Enter")
    expect(title).to_have_text("Painter")
    studio.button("Undo").click()
    expect(title).to_have_text("KSampler")


def test_select_by_box_and_move_with_the_keys(studio: Studio) -> None:
    page = studio.page
    box = studio.node("6").bounding_box()
    assert box is not None
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] - 20, box["y"] - 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, page.viewport_size["height"] - 60, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    for id in ("6", "7"):
        expect(studio.node(id)).to_have_attribute("aria-current", "true")
    expect(studio.node("5")).to_have_attribute("aria-current", "false")
    before = studio.document()["view"]["nodes"]["7"]
    page.keyboard.press("ArrowDown")
    after = studio.document()["view"]["nodes"]["7"]
    assert after == {**before, "y": before["y"] + 8}


def test_links_can_be_selected_deleted_and_moved(studio: Studio) -> None:
    page = studio.page
    start, end = studio.port("6", "output", "image").bounding_box(), studio.port("7", "input", "image").bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.click((start["x"] + end["x"]) / 2 + 12, (start["y"] + end["y"]) / 2 + 12)
    page.keyboard.press("Delete")
    expect(studio.port("7", "input", "image")).not_to_have_class(LINKED)
    studio.button("Undo").click()
    expect(studio.port("7", "input", "image")).to_have_class(LINKED)
    studio.drag_to(studio.port("5", "input", "positive"), studio.port("5", "input", "negative"))
    inputs = studio.document()["nodes"]["5"]["inputs"]
    assert inputs["negative"] == {"node": "2", "output": "conditioning"}
    assert "positive" not in inputs
    studio.button("Undo").click()
    assert studio.document()["nodes"]["5"]["inputs"]["positive"] == {"node": "2", "output": "conditioning"}


def test_zoom_to_the_cursor_pan_and_show_everything(studio: Studio) -> None:
    page = studio.page
    first = studio.node("5").bounding_box()
    assert first is not None
    page.mouse.move(first["x"], first["y"])
    page.mouse.wheel(0, -200)
    expect(studio.node("5")).not_to_have_css("width", "0px")
    page.wait_for_function(
        "width => document.querySelector('[data-node=\"5\"]').getBoundingClientRect().width > width", arg=first["width"]
    )
    zoomed = studio.node("5").bounding_box()
    assert zoomed is not None
    assert abs(zoomed["x"] - first["x"]) < 2
    assert abs(zoomed["y"] - first["y"]) < 2
    page.mouse.move(100, 700)
    page.mouse.down()
    page.mouse.move(40, 640, steps=3)
    page.mouse.up()
    page.wait_for_function(
        "x => document.querySelector('[data-node=\"5\"]').getBoundingClientRect().x < x - 50", arg=zoomed["x"]
    )
    studio.button("Show everything").click()
    page.wait_for_function(
        "x => Math.abs(document.querySelector('[data-node=\"5\"]').getBoundingClientRect().x - x) < 1", arg=first["x"]
    )
    studio.button("Nodes").click()
    page.wait_for_function(
        """() => document.querySelector('[data-node="7"]').getBoundingClientRect().right
            < document.querySelector(".canvas").getBoundingClientRect().right""",
    )


def test_the_view_is_moved_by_space_and_by_the_middle_button(studio: Studio) -> None:
    page = studio.page

    def pan(button: Literal["left", "middle"]) -> tuple[float, float]:
        before = studio.node("4").bounding_box()
        assert before is not None
        x, y = before["x"] + 60, before["y"] + 12
        page.mouse.move(x, y)
        page.mouse.down(button=button)
        page.mouse.move(x + 64, y - 32, steps=4)
        page.mouse.up(button=button)
        page.wait_for_timeout(300)
        after = studio.node("4").bounding_box()
        assert after is not None
        return round(after["x"] - before["x"]), round(after["y"] - before["y"])

    page.locator(".canvas").focus()
    page.keyboard.down("Space")
    assert pan("left") == (64, -32)
    page.keyboard.up("Space")
    assert pan("middle") == (64, -32)
    assert studio.button("Undo").is_disabled()


def test_values_by_slider_keys_and_limits(studio: Studio) -> None:
    sampler = studio.node("5")
    slider = sampler.get_by_role("slider", name="steps")
    slider.focus()
    slider.press("ArrowRight")
    expect(sampler.get_by_label("steps", exact=True)).to_have_value("29")
    box = sampler.get_by_label("denoise", exact=True)
    box.fill("7")
    box.press("Tab")
    expect(box).to_have_value("1")
    sampler.get_by_label("sampler", exact=True).click()
    studio.page.get_by_role("option", name="dpmpp_2m", exact=True).click()
    assert studio.document()["nodes"]["5"]["inputs"]["sampler"] == "dpmpp_2m"
    assert studio.document()["nodes"]["5"]["inputs"]["steps"] == 29


def test_a_node_is_made_larger_and_its_prompt_box_with_it(studio: Studio) -> None:
    prompt = studio.node("2").get_by_role("textbox", name="text")
    before = prompt.bounding_box()
    assert before is not None
    grip = studio.node("2").locator("[data-grip]").bounding_box()
    assert grip is not None
    studio.drag(studio.node("2").locator("[data-grip]"), grip["x"] + 60, grip["y"] + 90)
    after = prompt.bounding_box()
    assert after is not None
    assert after["height"] > before["height"] + 50
    assert after["width"] > before["width"] + 30
    sampler = studio.node("5")
    narrow, grip = sampler.bounding_box(), sampler.locator("[data-grip]").bounding_box()
    assert narrow is not None
    assert grip is not None
    studio.drag(sampler.locator("[data-grip]"), grip["x"] + 70, grip["y"])
    wide = sampler.bounding_box()
    assert wide is not None
    assert wide["width"] > narrow["width"] + 40, "a node without such a box is made wider"
    assert wide["height"] == narrow["height"]


def test_typing_and_composing_stay_in_the_text_box(studio: Studio) -> None:
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.click()
    prompt.press("End")
    studio.page.keyboard.press("Delete")
    studio.page.keyboard.type(" .-+?")
    studio.page.keyboard.insert_text("猫头鹰")
    expect(prompt).to_have_value(re.compile(r" \.-\+\?猫头鹰$"))
    expect(studio.node("2")).to_be_visible()
    expect(studio.page.get_by_role("dialog")).to_have_count(0)


def test_a_thousand_nodes_open_with_few_elements(studio: Studio) -> None:
    nodes = {
        str(i): {"type": "KSampler", "inputs": {"seed": i, "latent": {"node": str(i - 1), "output": "latent"}}}
        for i in range(1, 1001)
    }
    places = {id: {"x": (int(id) % 40) * 320, "y": (int(id) // 40) * 420} for id in nodes}
    workflow = {"version": 1, "nodes": nodes, "view": {"nodes": places}}
    studio.drop(studio.page.locator(".panel"), "large.json", "application/json", json.dumps(workflow).encode())
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("large")
    idle = "new Promise(done => requestIdleCallback(() => requestIdleCallback(done)))"
    assert studio.page.evaluate(f"{idle}.then(() => document.querySelectorAll('.node').length)") == 0, "seen from afar"
    studio.page.mouse.move(400, 400)
    for _ in range(12):
        studio.page.mouse.wheel(0, -300)
    expect(studio.page.locator(".node").first).to_be_visible()
    assert studio.page.evaluate("document.querySelectorAll('*').length") < 3000


def test_an_unknown_node_is_replaced_at_one_press_as_the_workflow_is_then(studio: Studio) -> None:
    workflow = studio.document()
    workflow["nodes"]["5"] |= {"type": "gone.KSamplerPlus"}
    studio.drop(studio.page.locator(".panel"), "old.json", "application/json", json.dumps(workflow).encode())
    expect(studio.node("5").locator(".node-title")).to_have_text("gone.KSamplerPlus")
    studio.button("Run").click()
    problems = studio.page.get_by_role("region", name="Problems")
    expect(problems).to_contain_text("It is of the pack gone, which is not installed.")
    fix = problems.get_by_role("button", name="Replace by KSampler", exact=True)
    fix.wait_for()
    studio.node("5").get_by_label("steps", exact=True).fill("3")
    studio.page.keyboard.press("Tab")
    fix.click()
    expect(problems).to_be_hidden()
    made = studio.document()["nodes"]["5"]
    assert made["type"] == "KSampler"
    assert made["inputs"] == workflow["nodes"]["5"]["inputs"] | {"steps": 3}
    studio.button("Undo").click()
    expect(studio.node("5").locator(".node-title")).to_have_text("gone.KSamplerPlus")
    assert studio.complaints == []
