"""Painted canvas and DOM over it look the same; a press reaches what is under it; tiles and elements stay few."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, FloatRect, Page, expect

from tests.web.conftest import Studio

DIFFERENT = 64
SHARE = 0.02
TYPES = {
    "Loader": {"ckpt": {"kind": "combo", "value": "a.safetensors", "options": ["a.safetensors", "b.safetensors"]}},
    "Numbers": {
        "steps": {"kind": "number", "value": 20},
        "cfg": {"kind": "slider", "value": 7.5, "min": 0, "max": 30, "step": 0.5},
        "part": {"kind": "slider", "value": 0, "min": 0, "max": 1, "step": 0.1},
    },
    "Seeds": {"seed": {"kind": "seed", "value": 123456}},
    "Switches": {"on": {"kind": "toggle", "value": True}, "off": {"kind": "toggle", "value": False}},
    "Lines": {"label": {"kind": "text", "value": "一行字 and a line"}},
    "Prompts": {
        "text": {"kind": "textarea", "value": "a quiet harbour at dusk, long exposure\n远处的灯塔，海面上有薄雾"}
    },
    "中文": {
        "文字": {"kind": "text", "value": "远处的灯塔"},
        "选项": {"kind": "combo", "value": "海面", "options": ["海面", "薄雾"]},
        "文件": {"kind": "combo", "value": "海面", "options": [f"海面{i}" if i else "海面" for i in range(20)]},
    },
}
NOTE = """# A heading, 标题
## Smaller, **bold** in it
### Smallest
Plain text with **bold words**, *italic ones*, `code` and a [link](https://example.org) in a paragraph of several lines.
- an item with **bold**
- 列表项，*斜体*和**粗体**
```
code = 1
  indented
```
远处的灯塔，**海面上**有薄雾。"""
Graph = dict[str, list[dict[str, object]]]


def graph(count: int, kinds: list[str]) -> Graph:
    """Nodes of those kinds in turn, each linked to the one before."""
    nodes: list[dict[str, object]] = []
    for index in range(count):
        kind = kinds[index % len(kinds)]
        widgets = [{"name": name, **widget} for name, widget in TYPES[kind].items()]
        place = {"x": index % 40 * 320, "y": index // 40 * 320}
        ports = {"inputs": [{"name": "latent", "type": "Latent"}], "outputs": [{"name": "out", "type": "Latent"}]}
        nodes.append({"id": str(index), "type": kind, "title": f"{kind} {index}", **place, **ports, "widgets": widgets})
    links: list[dict[str, object]] = [
        {"id": i, "from": str(i - 1), "fromSlot": 0, "to": str(i), "toSlot": 0, "type": "Latent"}
        for i in range(1, count)
    ]
    return {"nodes": nodes, "links": links}


@pytest.fixture
def measured(browser: Browser, server: str) -> Iterator[Page]:
    """The page as a measuring script opens it."""
    context = browser.new_context(viewport={"width": 1600, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{server}?bench=1")
    page.locator('.node[data-node="5"]').wait_for()
    yield page
    context.close()


def load(page: Page, content: Graph, camera: dict[str, float]) -> None:
    page.evaluate("graph => window.__bench.load(graph)", content)
    page.evaluate("camera => window.__bench.setView(camera)", camera)
    expect(page.locator(".nodes.moving")).to_have_count(0)


def picture(page: Page, clip: FloatRect) -> Image.Image:
    return Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_widget_is_painted_as_its_control_looks(measured: Page, scheme: str) -> None:
    """DOM against painted pixels, node by node: at most two in a hundred differ to the eye."""
    measured.emulate_media(color_scheme="light" if scheme == "light" else "dark")
    load(measured, graph(len(TYPES), list(TYPES)), {"scale": 0.8, "x": 40, "y": 60})
    measured.evaluate("window.__bench.setView({ scale: 1, x: 40, y: 60 })")
    shares: dict[str, float] = {}
    for index, kind in enumerate(TYPES):
        measured.evaluate("x => window.__bench.setView({ scale: 1, x, y: 60 })", 40 - 320 * index)
        node = measured.locator(f'.node[data-node="{index}"]')
        expect(measured.locator(".nodes.moving")).to_have_count(0)
        node.wait_for()
        measured.mouse.move(1590, 890)
        box = node.bounding_box()
        assert box is not None
        clip: FloatRect = {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
        alive = picture(measured, clip)
        measured.evaluate("document.querySelector('.nodes').style.opacity = '0'")
        painted = picture(measured, clip)
        measured.evaluate("document.querySelector('.nodes').style.opacity = ''")
        difference = ImageChops.difference(alive, painted).convert("L")
        histogram = difference.histogram()
        shares[kind] = sum(histogram[DIFFERENT:]) / (difference.width * difference.height)
    assert max(shares.values()) <= SHARE, shares


def test_a_note_is_painted_as_it_reads(measured: Page) -> None:
    """Every block of it: bold, italic, code and links as well."""
    text = {"name": "text", "kind": "textarea", "value": NOTE}
    note: dict[str, object] = {"id": "0", "type": "Note", "x": 0, "y": 0, "w": 320, "h": 420, "widgets": [text]}
    load(measured, {"nodes": [note], "links": []}, {"scale": 1, "x": 40, "y": 60})
    blocks = measured.locator(".note-text > *").all()
    assert len(blocks) == 8
    for block in blocks:
        box = block.bounding_box()
        assert box is not None
        clip: FloatRect = {"x": box["x"] - 16, "y": box["y"], "width": box["width"] + 16, "height": box["height"]}
        painted, alive = painted_and_alive(measured, clip)
        off = {by: unlike(ImageChops.offset(painted, 0, by), alive) for by in (-1, 0, 1)}
        assert off[0] == min(off.values()), (block.inner_text(), off)
        assert off[0] <= SHARE * alive.width * alive.height, (block.inner_text(), off)


def painted_and_alive(page: Page, clip: FloatRect) -> tuple[Image.Image, Image.Image]:
    page.mouse.move(1590, 890)
    alive = picture(page, clip)
    page.evaluate("document.querySelector('.nodes').style.opacity = '0'")
    painted = picture(page, clip)
    page.evaluate("document.querySelector('.nodes').style.opacity = ''")
    return painted, alive


def unlike(a: Image.Image, b: Image.Image) -> int:
    return sum(ImageChops.difference(a, b).convert("L").histogram()[DIFFERENT:])


@pytest.mark.parametrize("scale", [0.5, 1, 1.37, 2])
def test_text_stands_still_when_the_view_comes_to_rest(measured: Page, scale: float) -> None:
    """Painted and moved by a pixel up or down, a node is less like its DOM than where it is."""
    kinds = ["Loader", "Numbers", "Prompts", "中文"]
    load(measured, graph(len(kinds), kinds), {"scale": scale, "x": 40, "y": 60})
    for index, kind in enumerate(kinds):
        measured.evaluate(
            "camera => window.__bench.setView(camera)", {"scale": scale, "x": 40 - 320 * index * scale, "y": 60}
        )
        expect(measured.locator(".nodes.moving")).to_have_count(0)
        bodies = measured.locator(f'.node[data-node="{index}"] :is(.node-title, .port-label, .field)')
        for body in bodies.all():
            box = body.bounding_box()
            assert box is not None
            painted, alive = painted_and_alive(
                measured, {"x": box["x"], "y": box["y"], "width": box["width"], "height": box["height"]}
            )
            off = {by: unlike(ImageChops.offset(painted, 0, by), alive) for by in (-2, -1, 0, 1, 2)}
            assert off[0] == min(off.values()), (kind, body.get_attribute("class"), off)


def test_the_edge_of_a_node_is_whole_where_tiles_meet(measured: Page) -> None:
    """Tiles meet at y = 0, where most workflows begin."""
    load(measured, graph(1, ["Lines"]), {"scale": 1, "x": 40, "y": 60})
    measured.evaluate("window.__bench.select(['0'])")
    box = measured.locator('.node[data-node="0"]').bounding_box()
    assert box is not None
    painted, alive = painted_and_alive(measured, {"x": box["x"] + 20, "y": box["y"] - 2, "width": 100, "height": 3})
    assert unlike(painted, alive) == 0


def test_a_press_on_a_painted_field_reaches_the_field(measured: Page) -> None:
    load(measured, graph(6, ["Lines"]), {"scale": 1, "x": 40, "y": 60})
    box = measured.locator('.node[data-node="1"] input.text').bounding_box()
    assert box is not None
    measured.mouse.move(box["x"] - 90, box["y"] + 10)
    measured.evaluate("window.__bench.setView({ scale: 1, x: -60, y: 60 })")
    measured.mouse.click(box["x"] - 90, box["y"] + 10)
    measured.keyboard.press("End")
    measured.keyboard.type("!")
    expect(measured.locator('.node[data-node="1"] input.text')).to_have_value("一行字 and a line!")


def test_dragging_lifts_the_node_and_one_undo_puts_it_back(measured: Page) -> None:
    load(measured, graph(80, ["Numbers"]), {"scale": 1, "x": 40, "y": 60})
    before = measured.evaluate("window.__bench.nodePos('1')")
    grab = measured.evaluate("window.__bench.nodeGrab('1')")
    measured.mouse.move(grab["x"], grab["y"])
    measured.mouse.down()
    measured.mouse.move(grab["x"] + 160, grab["y"] + 120, steps=4)
    during = measured.evaluate("window.__bench.nodePos('1')")
    expect(measured.locator('.node[data-node="1"].lifted')).to_have_count(1)
    assert abs(during["x"] - before["x"] - 160) <= 16
    assert abs(during["y"] - before["y"] - 120) <= 16
    measured.mouse.up()
    expect(measured.locator(".node.lifted")).to_have_count(0)
    assert measured.evaluate("window.__bench.nodePos('1')") == during
    measured.evaluate("window.__bench.editor.undo()")
    assert measured.evaluate("window.__bench.nodePos('1')") == before


def test_many_nodes_cost_few_elements_and_three_screens_of_tiles(measured: Page) -> None:
    load(measured, graph(1000, list(TYPES)), {"scale": 0.5, "x": -400, "y": -300})
    for scale in (0.5, 1, 0.2, 0.05, 0.7):
        measured.evaluate("scale => window.__bench.setView({ scale, x: -400 * scale, y: -900 * scale })", scale)
        expect(measured.locator(".nodes.moving")).to_have_count(0)
        measured.wait_for_timeout(300)
        assert measured.evaluate("document.querySelectorAll('*').length") < 3000
        tiles = measured.evaluate("window.__bench.tiles()")
        assert tiles["tiles"] <= 3 * tiles["screen"]


def test_what_the_first_view_covers_is_painted_once_it_moves(browser: Browser, server: str) -> None:
    """Where nodes have DOM from the first frame on, they are painted under it later: at once if the view moves."""
    colours = """async moved => {
        const { view } = window.__bench;
        if (moved) view.setCamera({ ...view.camera, x: view.camera.x + 1 });
        await view.painted();
        const canvas = view.element.querySelector("canvas");
        const node = document.querySelector('.node[data-node="5"]').getBoundingClientRect();
        const { left, top } = canvas.getBoundingClientRect();
        const { data } = canvas.getContext("2d").getImageData(node.x - left, node.y - top, node.width, node.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }"""
    context = browser.new_context(viewport={"width": 1600, "height": 900})
    page = context.new_page()
    page.add_init_script("window.requestIdleCallback = () => 1")
    page.goto(f"{server}?bench=1")
    page.locator('.node[data-node="5"]').wait_for()
    bare, whole = page.evaluate(colours, False), page.evaluate(colours, True)
    assert bare < whole
    assert whole > 50
    context.close()


def test_a_frame_that_is_selected_shows_it(measured: Page) -> None:
    load(measured, graph(1, ["Numbers"]), {"scale": 1, "x": 40, "y": 60})
    frame = {"title": "Group", "x": 400, "y": 100, "w": 300, "h": 200}
    clip: FloatRect = {"x": 440, "y": 160, "width": 400, "height": 300}
    measured.evaluate("frame => window.__bench.editor.edit([{ kind: 'frame', id: 'a', frame }])", frame)
    measured.evaluate("window.__bench.view.painted()")
    plain = picture(measured, clip)
    measured.evaluate("(window.__bench.editor.selectFrame('a', []), window.__bench.view.painted())")
    chosen = picture(measured, clip)
    measured.evaluate("(window.__bench.editor.select([]), window.__bench.view.painted())")
    edge = (
        ImageChops.difference(plain, chosen)
        .convert("L")
        .point([255 * (value > DIFFERENT) for value in range(256)])
        .getbbox()
    )
    assert edge is not None
    assert (edge[2] - edge[0], edge[3] - edge[1]) == pytest.approx((302, 202), abs=4)
    assert ImageChops.difference(plain, picture(measured, clip)).getbbox() is None


def test_what_is_said_under_a_node_is_drawn_once(studio: Studio) -> None:
    studio.quicken()
    studio.run()
    studio.page.wait_for_timeout(200)
    box = studio.node("5").get_by_label("cfg", exact=True)
    box.fill("5")
    box.press("Tab")
    expect(studio.node("5").locator(".node-status")).to_contain_text("cfg")
    at = studio.node("5").bounding_box()
    assert at is not None
    clip: FloatRect = {"x": at["x"], "y": at["y"] + at["height"] + 3, "width": at["width"], "height": 20}
    studio.page.wait_for_timeout(300)
    shown = picture(studio.page, clip)
    studio.page.evaluate("document.querySelector('.nodes').style.opacity = '0'")
    assert len(shown.getcolors() or ()) > 8, "nothing is said there"
    assert ImageChops.difference(shown, picture(studio.page, clip)).getbbox() is None


def test_a_note_reads_as_markdown_and_is_edited_as_text(studio: Studio) -> None:
    text = "# Title\n- one **bold** item\n\n<img src=x onerror=alert(1)>"
    workflow = {
        "version": 1,
        "nodes": {"1": {"type": "Note", "inputs": {"text": text}}},
        "view": {"nodes": {"1": {"x": 0, "y": 0}}},
    }
    studio.drop(studio.page.locator(".panel"), "note.json", "application/json", json.dumps(workflow).encode())
    note = studio.node("1").locator(".note-text")
    expect(note.get_by_role("heading", name="Title")).to_be_visible()
    expect(note.locator("strong")).to_have_text("bold")
    expect(note.locator("img")).to_have_count(0)
    studio.node("1").get_by_role("textbox").click()
    expect(note).to_be_hidden()
    studio.page.keyboard.press("Control+End")
    studio.page.keyboard.type(" more")
    studio.page.locator(".canvas").click(position={"x": 20, "y": 700})
    expect(note).to_contain_text("onerror=alert(1)> more")
