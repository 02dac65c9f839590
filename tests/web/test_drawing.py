"""Drawing: links, frames, components, notes, menus and panels, by mouse and keyboard, in a real browser."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from typing import Any

from PIL import Image, ImageStat
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Locator, expect

from tests.web.conftest import Studio

LINKED = re.compile(r"\blinked\b")


def document(studio: Studio) -> Any:
    return studio.document()


def centre(locator: Locator) -> tuple[float, float]:
    box = locator.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def select(studio: Studio, ids: Sequence[str]) -> None:
    for index, id in enumerate(ids):
        studio.node(id).locator(".node-head").click(modifiers=["Shift"] if index else [])


def stroke(studio: Studio, start: tuple[float, float], end: tuple[float, float], button: str = "left") -> None:
    mouse = studio.page.mouse
    mouse.move(*start)
    mouse.down(button="right" if button == "right" else "left")
    mouse.move(*end, steps=8)
    mouse.up(button="right" if button == "right" else "left")


def test_links_are_cut_by_a_stroke_and_drawn_lazily(studio: Studio) -> None:
    page = studio.page
    start, end = centre(studio.port("6", "output", "image")), centre(studio.port("7", "input", "image"))
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    page.keyboard.down("Alt")
    stroke(studio, (middle[0] - 60, middle[1] + 4), (middle[0] + 60, middle[1] + 4))
    expect(studio.port("7", "input", "image")).not_to_have_class(LINKED)
    stroke(
        studio, centre(studio.node("6").locator(".node-head")), centre(studio.node("7").locator(".node-head")), "right"
    )
    page.keyboard.up("Alt")
    expect(studio.port("7", "input", "image")).to_have_class(LINKED)
    assert document(studio)["nodes"]["7"]["inputs"]["image"] == {"node": "6", "output": "image"}


def test_all_links_of_an_output_move_at_once(studio: Studio) -> None:
    page = studio.page
    studio.node("2").locator(".node-head").click()
    page.keyboard.press("Control+d")
    studio.node("8").wait_for()
    page.keyboard.press("Delete")
    page.keyboard.down("Shift")
    studio.drag_to(studio.port("2", "output", "conditioning"), studio.port("3", "output", "conditioning"))
    page.keyboard.up("Shift")
    inputs = document(studio)["nodes"]["5"]["inputs"]
    assert inputs["positive"] == inputs["negative"] == {"node": "3", "output": "conditioning"}
    page.keyboard.press("Control+z")
    assert document(studio)["nodes"]["5"]["inputs"]["positive"] == {"node": "2", "output": "conditioning"}


def test_a_node_goes_into_a_link_and_comes_out_with_the_flow_kept(studio: Studio) -> None:
    page = studio.page
    page.locator(".canvas").dblclick(position={"x": 120, "y": 600})
    page.keyboard.type("invert")
    page.keyboard.press("Enter")
    studio.node("8").wait_for()
    start, end = centre(studio.port("6", "output", "image")), centre(studio.port("7", "input", "image"))
    studio.drag(studio.node("8").locator(".node-title"), (start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    nodes = document(studio)["nodes"]
    assert nodes["8"]["inputs"]["image"] == {"node": "6", "output": "image"}
    assert nodes["7"]["inputs"]["image"] == {"node": "8", "output": "image"}
    studio.node("8").locator(".node-head").click()
    page.keyboard.press("Shift+Delete")
    expect(studio.node("8")).to_have_count(0)
    assert document(studio)["nodes"]["7"]["inputs"]["image"] == {"node": "6", "output": "image"}


def test_a_frame_carries_its_nodes_and_captures_no_others(studio: Studio) -> None:
    page = studio.page
    select(studio, ["2", "3"])
    page.keyboard.press("Control+g")
    page.keyboard.type("Prompts")
    page.keyboard.press("Enter")
    before = document(studio)["view"]["nodes"]
    (frame,) = document(studio)["view"]["frames"].values()
    assert frame["title"] == "Prompts"
    box = studio.node("2").bounding_box()
    assert box is not None
    grip = (box["x"] + 20, box["y"] - 34)
    stroke(studio, grip, (grip[0] + 300, grip[1] + 120))
    after = document(studio)["view"]["nodes"]
    moved = {id for id in after if after[id]["x"] != before[id]["x"]}
    assert moved == {"2", "3"}
    assert {id for id in after if "frame" in after[id]} == {"2", "3"}
    page.keyboard.press("Control+z")
    assert document(studio)["view"]["nodes"] == before


def test_a_component_is_made_entered_edited_and_unpacked(studio: Studio) -> None:
    page = studio.page
    select(studio, ["5", "6"])
    page.keyboard.press("Control+Shift+e")
    expect(studio.node("8").locator(".node-title")).to_have_text("Component")
    expect(studio.port("8", "output", "image")).to_have_class(LINKED)
    page.keyboard.press("Control+d")
    studio.node("9").wait_for()
    page.keyboard.press("Control+ArrowDown")
    here = page.get_by_role("navigation", name="Where you are").get_by_role("button", name="Component")
    here.dblclick()
    expect(page.get_by_role("dialog", name="Add a node")).to_be_hidden()
    steps = studio.node("5").get_by_label("steps", exact=True)
    steps.fill("3")
    steps.press("Tab")
    studio.port("5", "input", "steps").click(button="right")
    expect(studio.port("5", "input", "model")).to_have_class(LINKED)
    expect(studio.port("5", "input", "steps")).not_to_have_class(LINKED)
    page.get_by_role("menuitem", name="Show steps as a port of the component").click()
    expect(studio.port("5", "input", "steps")).to_have_class(LINKED)
    page.get_by_role("button", name="Workflow", exact=True).click()
    for id in ("8", "9"):
        expect(studio.node(id).get_by_label("steps", exact=True)).to_have_value("3")
    definition = document(studio)["components"]["Component"]
    assert definition["nodes"]["5"]["inputs"]["steps"] == 3
    studio.node("9").locator(".node-head").click()
    page.keyboard.press("Control+Shift+u")
    expect(studio.node("9")).to_have_count(0)
    assert document(studio)["nodes"]["10"]["inputs"]["steps"] == 3
    studio.button("Undo").click()
    studio.node("9").wait_for()


def test_a_component_runs(studio: Studio) -> None:
    studio.quicken()
    select(studio, ["5", "6"])
    studio.page.keyboard.press("Control+Shift+e")
    studio.node("8").wait_for()
    studio.run()
    expect(studio.page.locator(".panel .result-image, .panel img").first).to_be_visible()


def test_notes_reroutes_colours_and_modes(studio: Studio) -> None:
    page = studio.page
    page.mouse.move(600, 200)
    page.keyboard.press("n")
    studio.node("8").wait_for()
    page.keyboard.type("mind the seed")
    sampler, note = studio.node("5").bounding_box(), studio.node("8").bounding_box()
    assert sampler is not None
    assert note is not None
    assert note["y"] > sampler["y"] + sampler["height"] or note["x"] > sampler["x"] + sampler["width"]
    page.keyboard.press("Escape")
    studio.button("Show everything").click()
    start, end = centre(studio.port("6", "output", "image")), centre(studio.port("7", "input", "image"))
    page.mouse.dblclick((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
    studio.node("9").wait_for()
    studio.node("5").locator(".node-head").click(button="right")
    page.get_by_role("menuitem", name="Blue").click()
    page.keyboard.press("Control+m")
    studio.node("6").locator(".node-head").click()
    page.keyboard.press("Alt+c")
    saved = document(studio)
    assert saved["nodes"]["8"] == {"type": "Note", "inputs": {"text": "mind the seed"}}
    assert saved["nodes"]["9"] == {"type": "Reroute", "inputs": {"value": {"node": "6", "output": "image"}}}
    assert saved["nodes"]["7"]["inputs"]["image"] == {"node": "9", "output": "value"}
    assert saved["nodes"]["5"]["mode"] == "mute"
    assert saved["view"]["nodes"]["5"]["colour"] == "blue"
    assert saved["view"]["nodes"]["6"]["collapsed"] is True


def test_the_menu_works_by_keyboard(studio: Studio) -> None:
    page = studio.page
    studio.node("4").focus()
    page.keyboard.press("Shift+F10")
    menu = page.get_by_role("menu", name="Commands")
    expect(menu).to_be_visible()
    page.keyboard.press("d")
    expect(page.get_by_role("menuitem", name="Duplicate Ctrl+D")).to_be_focused()
    page.keyboard.press("Enter")
    studio.node("8").wait_for()
    expect(menu).to_have_count(0)


def test_another_kind_keeps_the_links(studio: Studio) -> None:
    page = studio.page
    studio.node("7").locator(".node-head").click()
    page.keyboard.press("Shift+S")
    page.keyboard.type("preview image")
    page.keyboard.press("Enter")
    expect(studio.node("7").locator(".node-title")).to_have_text("Preview image")
    assert document(studio)["nodes"]["7"]["inputs"]["image"] == {"node": "6", "output": "image"}


def test_parameters_are_shown_named_and_ordered(studio: Studio) -> None:
    page = studio.page
    for name in ("steps", "cfg"):
        studio.port("5", "input", name).click(button="right")
        page.get_by_role("menuitem", name=f"Show {name} as a parameter").click()
    page.get_by_role("button", name="Parameters").click()
    boxes = page.get_by_label("Name of the parameter")
    expect(boxes).to_have_count(2)
    boxes.first.fill("quality")
    boxes.first.press("Enter")
    page.get_by_role("button", name="Move quality down").click()
    assert document(studio)["interface"] == [
        {"name": "cfg", "node": "5", "input": "cfg"},
        {"name": "quality", "node": "5", "input": "steps"},
    ]


def test_history_is_told_in_words_and_gone_to(studio: Studio) -> None:
    page = studio.page
    studio.quicken(3)
    studio.node("4").locator(".node-head").click()
    page.keyboard.press("Delete")
    page.get_by_role("button", name="History").click()
    panel = page.get_by_role("complementary", name="History")
    expect(panel.get_by_role("listitem")).to_have_count(3)
    expect(panel).to_contain_text("KSampler: steps 28 → 3")
    panel.get_by_role("listitem").nth(1).get_by_label("Name this point").click()
    panel.get_by_role("textbox").fill("three steps")
    panel.get_by_role("textbox").press("Enter")
    panel.get_by_role("button", name="As it was opened").click()
    assert document(studio)["nodes"]["5"]["inputs"]["steps"] == 28
    panel.get_by_role("button", name="three steps").click()
    assert document(studio)["nodes"]["5"]["inputs"]["steps"] == 3
    studio.node("4").wait_for()


def test_find_goes_to_a_value_within_a_component(studio: Studio) -> None:
    page = studio.page
    select(studio, ["2", "3"])
    page.keyboard.press("Control+Shift+e")
    studio.node("8").wait_for()
    page.keyboard.press("Control+f")
    page.get_by_role("combobox", name="Title, kind or value").fill("dog face")
    expect(page.get_by_role("dialog").get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(studio.node("2")).to_be_focused()
    expect(page.get_by_role("navigation", name="Where you are")).to_be_visible()


def test_pasting_makes_what_fits(studio: Studio) -> None:
    page = studio.page

    def paste(text: str, shift: bool = False) -> None:
        page.evaluate(
            """([text, shift]) => {
                dispatchEvent(new KeyboardEvent("keydown", { key: "v", shiftKey: shift }));
                const data = new DataTransfer();
                data.setData("text/plain", text);
                const options = { clipboardData: data, bubbles: true, cancelable: true };
                document.dispatchEvent(new ClipboardEvent("paste", options));
            }""",
            [text, shift],
        )

    page.mouse.move(150, 650)
    page.evaluate("getSelection().selectAllChildren(document.querySelector('.panel'))")
    paste("just some words")
    studio.node("8").wait_for()
    assert document(studio)["nodes"]["8"] == {"type": "Note", "inputs": {"text": "just some words"}}
    part = json.dumps(
        {
            "version": 1,
            "nodes": {"6": {"type": "VAEDecode", "inputs": {}}},
            "view": {"nodes": {"6": {"x": 0, "y": 0}}, "outside": {"6": {"vae": {"node": "1", "output": "vae"}}}},
        }
    )
    paste(part)
    paste(part, shift=True)
    nodes = document(studio)["nodes"]
    assert nodes["9"]["inputs"] == {}
    assert nodes["10"]["inputs"] == {"vae": {"node": "1", "output": "vae"}}
    paste("123456789")
    assert document(studio)["nodes"]["11"] == {"type": "Note", "inputs": {"text": "123456789"}}


def test_a_pasted_picture_becomes_a_node_that_loads_it(studio: Studio) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    studio.page.mouse.move(120, 560)
    studio.page.evaluate(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "red.png", { type: "image/png" }));
            const options = { clipboardData: data, bubbles: true, cancelable: true };
            document.dispatchEvent(new ClipboardEvent("paste", options));
        }""",
        list(buffer.getvalue()),
    )
    studio.node("8").wait_for()
    expect(studio.node("8").locator(".node-title")).to_have_text("Load image")
    expect(studio.node("8").get_by_role("img").first).to_be_visible()
    photo, drawing = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "A DIGITAL CAMERA"
    Image.new("RGB", (8, 8), "green").save(photo, "JPEG", exif=exif)
    chunks = PngInfo()
    chunks.add_text("workflow", "sketch, ink, colour")
    Image.new("RGB", (8, 8), "blue").save(drawing, "PNG", pnginfo=chunks)
    for id, name, content in (("9", "photo.jpg", photo), ("10", "foreign.png", drawing)):
        studio.drop(studio.page.locator(".canvas-hint").locator(".."), name, "image/jpeg", content.getvalue())
        studio.node(id).wait_for(state="attached")
        expect(studio.page.locator(".notice")).to_have_text(f"Uploaded {name}.")
    before = len(document(studio)["nodes"])
    cut = drawing.getvalue()[:-20]
    studio.drop(studio.page.locator(".canvas-hint").locator(".."), "cut.png", "image/png", cut)
    expect(studio.page.locator(".notice")).to_contain_text("the PNG is cut short: its chunk 'IDAT'")
    assert len(document(studio)["nodes"]) == before, "what is no picture leaves no node behind"


def test_nodes_are_copied_to_another_window(studio: Studio) -> None:
    select(studio, ["5", "6"])
    studio.page.keyboard.press("Control+c")
    other = Studio(studio.page.context.new_page(), studio.url).open()
    other.page.mouse.move(150, 600)
    other.page.keyboard.press("Control+v")
    other.node("8").wait_for()
    nodes = document(other)["nodes"]
    assert {nodes[id]["type"] for id in ("8", "9")} == {"KSampler", "VAEDecode"}
    assert nodes["9"]["inputs"]["latent"] == {"node": "8", "output": "latent"}


def test_the_library_is_filtered_dragged_from_and_keeps_components(studio: Studio) -> None:
    page = studio.page
    page.get_by_role("button", name="Nodes", exact=True).click()
    panel = page.get_by_role("complementary", name="Nodes")
    panel.get_by_label("Filter nodes").fill("upscale")
    item = panel.get_by_role("button", name=re.compile("upscale", re.IGNORECASE)).first
    item.drag_to(page.locator(".canvas"), target_position={"x": 100, "y": 600})
    studio.node("8").wait_for()
    select(studio, ["2", "3"])
    page.keyboard.press("Control+Shift+e")
    studio.node("9").wait_for()
    studio.node("9").locator(".node-head").click(button="right")
    page.get_by_role("menuitem", name="Keep the component in the library").click()
    expect(page.get_by_role("status").filter(has_text="is in the library now")).to_be_visible()


def test_lasso_align_and_duplicate_by_dragging(studio: Studio) -> None:
    page = studio.page
    box = studio.node("4").bounding_box()
    above = studio.node("1").bounding_box()
    assert box is not None
    assert above is not None
    page.keyboard.down("Control")
    page.mouse.move(above["x"] - 12, above["y"] - 16)
    page.mouse.down()
    for x, y in (
        (above["x"] + above["width"] + 10, above["y"] - 16),
        (box["x"] + box["width"] + 10, box["y"] + box["height"] + 10),
        (box["x"] - 12, box["y"] + box["height"] + 10),
    ):
        page.mouse.move(x, y, steps=6)
    page.mouse.up()
    page.keyboard.up("Control")
    for id in ("1", "4"):
        expect(studio.node(id)).to_have_class(re.compile(r"\bselected\b"))
    expect(studio.node("2")).not_to_have_class(re.compile(r"\bselected\b"))
    studio.node("4").locator(".node-head").click()
    page.keyboard.down("Alt")
    studio.drag(studio.node("4").locator(".node-head"), box["x"] + 100, box["y"] + 220)
    page.keyboard.up("Alt")
    studio.node("8").wait_for()
    page.keyboard.press("Control+z")
    nodes = page.locator(".node")
    expect(nodes).to_have_count(7)
    page.keyboard.press("Control+Shift+z")
    page.keyboard.down("Alt")
    studio.node("7").locator(".node-head").click()
    expect(nodes).to_have_count(8)
    studio.drag(studio.node("7").locator(".node-head"), box["x"], box["y"], release=False)
    expect(nodes).to_have_count(9)
    page.keyboard.press("Escape")
    expect(nodes).to_have_count(8)
    page.mouse.up()
    page.keyboard.up("Alt")
    select(studio, ["8", "4"])
    studio.node("4").locator(".node-head").click(button="right")
    page.get_by_role("menuitem", name="Align left edges").click()
    left = "id => document.querySelector(`[data-node='${id}']`).getBoundingClientRect().left"
    page.wait_for_function(f"() => ({left})('8') === ({left})('4')")
    places = document(studio)["view"]["nodes"]
    assert places["8"]["x"] == places["4"]["x"]
    assert places["8"]["y"] > places["4"]["y"] + 100


def test_the_view_moves_along_when_something_is_dragged_to_its_edge(studio: Studio) -> None:
    page = studio.page
    canvas = page.locator(".canvas").bounding_box()
    before = studio.node("4").bounding_box()
    assert canvas is not None
    assert before is not None
    at = centre(studio.node("4").locator(".node-title"))
    page.mouse.move(*at)
    page.mouse.down()
    page.mouse.move(at[0], canvas["y"] + canvas["height"] - 4, steps=4)
    page.wait_for_timeout(500)
    page.mouse.move(at[0], at[1] + 200, steps=4)
    page.mouse.up()
    after = document(studio)["view"]["nodes"]["4"]
    assert after["y"] > 208 + 200 + 100


def test_the_map_shows_the_whole_and_moves_the_view(studio: Studio) -> None:
    page = studio.page
    page.locator(".canvas").click(position={"x": 100, "y": 680}, button="right")
    page.get_by_role("menuitem", name="Map of the graph").click()
    map = page.get_by_role("img", name="Map of the graph")
    expect(map).to_be_visible()
    painted = map.locator("canvas").first.evaluate(
        """each => {
            const { data } = each.getContext("2d").getImageData(0, 0, each.width, each.height);
            let painted = 0;
            for (let i = 3; i < data.length; i += 4) painted += data[i] > 0;
            return painted / (each.width * each.height);
        }"""
    )
    assert 0.1 < painted < 0.9
    box, first, view = map.bounding_box(), studio.node("1").bounding_box(), page.locator(".canvas").bounding_box()
    assert box is not None
    assert first is not None
    assert view is not None
    page.mouse.click(box["x"] + 30, box["y"] + 18)
    page.wait_for_timeout(300)
    moved = centre(studio.node("1"))
    middle = (view["x"] + view["width"] / 2, view["y"] + view["height"] / 2)
    assert abs(moved[0] - middle[0]) < 150
    assert abs(moved[1] - middle[1]) < 150
    assert moved[0] - first["x"] > 200
    page.keyboard.press("m")
    expect(map).to_have_count(0)


def test_the_map_takes_the_colours_of_another_theme(studio: Studio) -> None:
    page = studio.page
    page.keyboard.press("m")
    map = page.get_by_role("img", name="Map of the graph").locator("canvas").first
    look = "each => each.getContext('2d').getImageData(0, 0, each.width, each.height).data.join()"
    page.wait_for_timeout(400)
    light = map.evaluate(look)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"([each, before]) => ({look})(each) !== before", arg=[map.element_handle(), light])


def test_nothing_out_of_place_is_pressed_while_the_view_moves(studio: Studio) -> None:
    under = """([x, y]) => {
        const at = () => document.elementFromPoint(x, y).closest("[data-node]") !== null;
        const before = at();
        const wheel = new WheelEvent("wheel", { deltaY: 400, clientX: x, clientY: y, bubbles: true, cancelable: true });
        document.elementFromPoint(x, y).dispatchEvent(wheel);
        return [before, at()];
    }"""
    assert studio.page.evaluate(under, list(centre(studio.node("1")))) == [True, False]


def test_pinned_nodes_stay_and_a_removed_node_comes_back_with_its_picture(studio: Studio) -> None:
    page = studio.page
    studio.quicken(1)
    studio.run()
    box = studio.node("7").bounding_box()
    assert box is not None
    place = {"x": box["x"] + 20, "y": box["y"] + box["height"] + 18, "width": box["width"] - 40, "height": 12}

    def shown() -> tuple[int, ...]:
        """The colour of the middle of the picture under the node, once the view rests."""
        page.mouse.move(10, 10)
        page.wait_for_timeout(400)
        with Image.open(io.BytesIO(page.screenshot(clip=place))) as picture:
            return tuple(round(part) for part in ImageStat.Stat(picture.convert("RGB")).mean)

    page.locator(".canvas").click(position={"x": 60, "y": 680})
    made = shown()
    studio.node("7").locator(".node-head").click()
    page.keyboard.press("Delete")
    expect(studio.node("7")).to_have_count(0)
    assert shown() != made
    studio.button("Undo").click()
    page.locator(".canvas").click(position={"x": 60, "y": 680})
    assert shown() == made
    head = studio.node("4").locator(".node-head")
    head.click()
    page.keyboard.press("p")
    before = document(studio)["view"]["nodes"]["4"]
    assert before["pinned"] is True
    x, y = centre(head)
    stroke(studio, (x, y), (x + 80, y + 120))
    assert document(studio)["view"]["nodes"]["4"] == before
