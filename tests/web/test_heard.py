"""What a person does and learns who has a keyboard and a screen reader, and no pointer."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, expect

from tests.web.conftest import RUN_MS, Studio, serving
from tests.web.newcomer import AXE, BARS, RULES, Newcomer, at_home

HEARD = """() => {
    const region = document.querySelector(".spoken");
    window.heard = [];
    new MutationObserver(() => window.heard.push(region.textContent)).observe(region, { childList: true });
}"""


def test_the_outline_tells_how_nodes_fare_and_a_run_is_heard_to_begin_and_to_end(studio: Studio) -> None:
    page = studio.page
    page.locator(".spoken").wait_for(state="attached")
    page.evaluate(HEARD)
    page.keyboard.press("Control+Shift+O")
    tree = page.get_by_role("tree", name="Outline")
    sampler = tree.get_by_role("treeitem", name=re.compile("^KSampler"))
    sampler.focus()
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.fill("a sound nobody has heard before")
    sampler.focus()
    page.keyboard.press("Control+Enter")
    expect(sampler).to_contain_text(re.compile(r"running, \d+ %"), timeout=RUN_MS)
    studio.wait_for_end()
    expect(sampler).to_contain_text(re.compile(r"ran [\d.]+ m?s( · .*)? · made [\d.]+ KB"))
    expect(sampler).to_be_focused()
    expect(page.locator(".spoken")).to_have_text(re.compile(r"^Done in [\d.]+ m?s\. Ran: [4-7], cached: [0-3]\.$"))
    assert len(page.evaluate("window.heard")) == 2
    page.keyboard.press("Control+Enter")
    expect(sampler).to_contain_text("cached · same inputs as an earlier run")
    studio.wait_for_end()
    tree.locator('[data-outline="6"]').focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    expect(tree.get_by_role("treeitem")).to_have_count(6)
    page.keyboard.press("Control+Enter")
    failed = tree.get_by_role("treeitem", name=re.compile("^Save image"))
    expect(failed).to_contain_text(re.compile("failed · .*image"))
    expect(page.locator(".spoken")).to_have_text(re.compile(r"^1 problem\. Save image: .*image"))
    assert studio.complaints == []


def test_links_are_items_of_the_outline_and_lead_from_node_to_node(studio: Studio) -> None:
    page = studio.attended().page
    page.keyboard.press("Control+Shift+O")
    tree = page.get_by_role("tree", name="Outline")
    sampler = tree.get_by_role("treeitem", name=re.compile("^KSampler"))
    sampler.focus()
    page.keyboard.press("ArrowRight")
    expect(sampler).to_have_attribute("aria-expanded", "true")
    expect(sampler).to_be_focused()
    items = tree.get_by_role("treeitem", level=2)
    expect(items).to_have_text(
        [
            "model comes from Load checkpoint, model",
            "positive comes from Prompt, conditioning",
            "negative comes from Negative prompt, conditioning",
            "latent comes from Empty latent, latent",
            "latent goes to VAE decode, latent",
        ]
    )
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    prompt = tree.locator('[data-outline="2"]')
    expect(prompt).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    out = tree.get_by_role("treeitem", name="conditioning goes to KSampler, positive")
    expect(out).to_be_focused()
    studio.node("2").get_by_role("textbox", name="text").fill("the outline is made anew")
    tree.locator('[tabindex="0"]').focus()
    expect(out).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(prompt).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(prompt).to_have_attribute("aria-expanded", "false")
    expect(items).to_have_count(5)
    expect(tree.get_by_role("treeitem", level=1)).to_have_count(7)
    assert studio.complaints == []


def test_from_the_form_the_outline_leads_to_a_field_or_to_the_graph(studio: Studio, browser: Browser) -> None:
    page = studio.attended().page
    page.keyboard.press("Control+a")
    page.keyboard.press("Control+g")
    page.keyboard.press("Enter")
    form = page.get_by_role("region", name="Form")
    tree = page.get_by_role("tree", name="Outline")
    page.locator(".canvas").focus()
    page.keyboard.press("f")
    page.keyboard.press("Control+Shift+O")
    tree.locator('[data-outline="5"]').focus()
    page.keyboard.press("Enter")
    expect(form.get_by_role("spinbutton", name="seed")).to_be_focused()
    expect(tree).to_be_visible()
    tree.locator('[data-outline="6"]').focus()
    page.keyboard.press("Enter")
    expect(form).to_be_hidden()
    expect(studio.node("6")).to_be_focused()
    expect(page.locator(".notice")).to_have_text("VAE decode is not on the form: here it is in the graph.")
    page.keyboard.press("f")
    expect(form).to_be_visible()
    tree.locator("[data-frame]").click()
    expect(form).to_be_hidden()
    expect(page.locator(".notice")).to_have_text("Frame is not on the form: here it is in the graph.")
    assert studio.complaints == []
    context = at_home(browser, "en", phone=True)
    person = Newcomer(context.new_page(), studio.url, phone=True).arrive()
    for id, shown in (("2", ".form textarea"), ("6", '.node[data-node="6"]')):
        person.menu("outline.title")
        person.press(person.page.locator(f'[data-outline="{id}"]'))
        expect(person.page.locator(".dock")).to_be_hidden()
        target = person.page.locator(shown).first
        expect(target).to_be_focused()
        expect(target).to_be_in_viewport()
    assert person.complaints == []
    context.close()


def test_ports_say_what_they_are_linked_to_and_fields_what_is_wrong_with_them(studio: Studio) -> None:
    page = studio.attended().page
    expect(studio.port("5", "input", "model")).to_have_accessible_name("Input model, Model from Load checkpoint")
    clip = studio.port("1", "output", "clip")
    expect(clip).to_have_accessible_name("Output clip, CLIP to Prompt, Negative prompt")
    studio.node("2").focus()
    page.keyboard.press("Delete")
    expect(clip).to_have_accessible_name("Output clip, CLIP to Negative prompt")
    expect(studio.port("5", "input", "positive")).to_have_accessible_name("Input positive, Conditioning")
    page.keyboard.press("Control+z")
    expect(clip).to_have_accessible_name("Output clip, CLIP to Negative prompt, Prompt")
    prefix = studio.node("7").get_by_role("textbox", name="prefix")
    expect(prefix).to_have_accessible_description("")
    prefix.fill("a:b")
    page.keyboard.press("Control+Enter")
    expect(prefix).to_have_accessible_description(re.compile("^Input prefix expects the beginning of a file name"))
    assert [each for each in studio.complaints if "Failed to load" not in each] == []


def test_a_dead_server_is_tried_rarely_and_its_return_noticed(browser: Browser, tmp_path: Path, models: Path) -> None:
    """Ten minutes are sixteen tries, and lines of the console for what was under way when the server went; a focus, a
    network that is back and a press are tries."""
    data = tmp_path / "data"
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    with serving(data, models) as url:
        studio = Studio(context.new_page(), url)
        page = studio.page
        page.clock.install()
        with page.expect_response(re.compile("/announce")):
            studio.open()
    studio.node("2").get_by_role("textbox", name="text").fill("kept until the server is there")
    status = page.locator(".bar-status")
    expect(status).to_have_text(re.compile(r"^No connection, next try in \d+ s$"))
    for _ in range(20):
        page.clock.run_for(30_000)
    expect(status).to_have_text(re.compile(r"^No connection, next try in \d+ s$"))
    assert 12 <= len(studio.complaints) <= 24
    for event in ("online", "focus"):
        with page.expect_console_message():
            page.evaluate("name => dispatchEvent(new Event(name))", event)
        expect(status).to_have_text(re.compile(r"next try in \d+ s$"))
    with serving(data, models, "--port", url.split(":")[-1].strip("/")):
        page.get_by_role("button", name="Connect now").focus()
        page.keyboard.press("Enter")
        expect(page.locator(".notice")).to_contain_text("Connected again")
        expect(page.get_by_role("button", name="Connect now")).to_have_count(0)
        page.clock.run_for(3_000)
        expect(status).not_to_contain_text("No connection")
    context.close()


def test_a_mask_a_crop_and_a_curve_are_drawn_by_keys(studio: Studio, tmp_path: Path) -> None:
    page, source = studio.page, tmp_path / "poppy.png"
    Image.new("RGB", (96, 64), (200, 30, 60)).save(source)
    nodes = {
        "1": {"type": "LoadImage", "inputs": {}},
        "2": {"type": "GuidanceCurve", "inputs": {"points": "0: 7, 1: 1"}},
    }
    document = {"version": 1, "nodes": nodes, "view": {"nodes": {"1": {"x": 0, "y": 0}, "2": {"x": 400, "y": 0}}}}
    studio.drop(page.locator(".canvas"), "start.json", "application/json", json.dumps(document).encode())
    studio.node("1").locator("input[type=file]").set_input_files(source)
    expect(studio.node("1").locator(".file-name")).to_have_text(re.compile("^poppy"))
    studio.node("1").get_by_role("button", name=re.compile("Paint a mask")).press("Enter")
    dialog = page.get_by_role("dialog", name="Paint a mask or crop")
    area = dialog.get_by_role("application", name="Picture to paint on")
    expect(area).to_be_focused()
    expect(area).to_have_accessible_description(re.compile("arrows move the brush"))
    told = dialog.get_by_role("status")

    def press(*keys: str) -> None:
        for key in keys:
            page.keyboard.press(key)

    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(BARS, RULES) == []
    press("ArrowLeft")
    expect(told).to_have_text("46, 32 · not painted")
    expect(dialog.locator(".paint-hand")).to_be_visible()
    press("Space", "ArrowRight", "ArrowRight")
    expect(told).to_have_text("50, 32 · painted · down")
    press("Space", "[")
    expect(told).to_have_text("Brush 9 %")
    press("Home", "PageUp", "Space", "Space")
    share = str(told.text_content())
    press("Control+z")
    expect(told).not_to_have_text(share)
    dialog.get_by_role("button", name="Crop", exact=True).press("Enter")
    area.focus()
    press("Shift+ArrowRight", "Shift+ArrowDown", "Space", "End", "PageDown")
    expect(told).to_have_text("96, 64 · 84 × 52 · down")
    press("Space")
    first = str(studio.node("1").locator(".file-name").text_content())
    dialog.get_by_role("button", name="Use it").press("Enter")
    expect(studio.node("1").locator(".file-name")).not_to_have_text(first)
    name = studio.document()["nodes"]["1"]["inputs"]["image"]
    with urllib.request.urlopen(f"{studio.url}api/v1/files/input/{name}") as answer:
        made = Image.open(io.BytesIO(answer.read()))
    opacity = made.getchannel("A")
    assert (made.size, opacity.getpixel((36, 20)), opacity.getpixel((0, 0))) == ((84, 52), 0, 255)

    opener = studio.button("Draw the curve of points")
    opener.press("Enter")
    curve = page.get_by_role("application", name="Curve of points")
    expect(curve).to_be_focused()
    told = page.locator(".popup").get_by_role("status")
    expect(told).to_have_text("Point 1 of 2: 7 at 0 %")
    press("Space")
    expect(told).to_have_text("Point 2 of 3: 4 at 50 %")
    press("Shift+ArrowRight", "ArrowUp")
    expect(told).to_have_text("Point 2 of 3: 4.1 at 60 %")
    assert page.evaluate(BARS, RULES) == []
    press("PageDown")
    expect(told).to_have_text("Point 3 of 3: 1 at 100 %")
    press("Delete", "Escape")
    expect(opener).to_be_focused()
    assert studio.document()["nodes"]["2"]["inputs"]["points"] == "0: 7, 0.6: 4.1"
    press("Control+z")
    assert studio.document()["nodes"]["2"]["inputs"]["points"] == "0: 7, 0.6: 4.1, 1: 1"
    assert studio.complaints == []


def test_panels_and_inputs_are_worked_by_keys(studio: Studio) -> None:
    """Commands lead into panels and out again; an input is put into the form without a right click."""
    page = studio.page
    studio.node("5").focus()
    page.keyboard.press("Control+Shift+O")
    expect(page.get_by_role("treeitem").first).to_be_focused()
    page.keyboard.press("Control+Shift+O")
    expect(studio.node("5")).to_be_focused()
    page.keyboard.press("Control+Shift+O")
    expect(page.get_by_role("treeitem").first).to_be_focused()
    studio.button("Close Outline").press("Enter")
    expect(studio.button("Outline")).to_be_focused()
    studio.node("5").focus()
    page.keyboard.press("Shift+C")
    choice = page.get_by_role("combobox", name="Find a command")
    choice.fill("show cfg")
    choice.press("Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert [port["input"] for port in studio.document()["interface"]] == ["cfg"]
    expect(studio.node("5")).to_be_focused()
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.focus()
    expect(studio.node("2").locator(".token-count")).to_be_visible()
    studio.node("6").focus()
    page.keyboard.press("Shift+C")
    choice.fill("reroute latent")
    choice.press("Enter")
    expect(page.locator(".node.is-reroute")).to_be_visible()
    assert studio.document()["nodes"]["8"] == {
        "type": "Reroute",
        "inputs": {"value": {"node": "5", "output": "latent"}},
    }
    studio.node("4").focus()
    page.keyboard.press("Control+g")
    page.keyboard.type("start")
    page.keyboard.press("Enter")
    studio.node("1").focus()
    studio.node("4").focus()
    page.keyboard.press("Shift+G")
    page.keyboard.press("Control+k")
    choice.fill("name the frame")
    choice.press("Enter")
    page.keyboard.type("canvas")
    page.keyboard.press("Enter")
    assert [frame["title"] for frame in studio.document()["view"]["frames"].values()] == ["canvas"]
    assert studio.complaints == []
