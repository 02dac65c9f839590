"""Setting values: arithmetic, scrubbing, stepping, seeds after a run, searched lists, prompts, and values to try."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from pathlib import Path

import torch
from PIL import Image as Picture
from playwright.sync_api import Browser, expect
from safetensors.torch import save_file

from tests.web.conftest import RUN_MS, Studio


def value(studio: Studio, node: str, name: str) -> object:
    return studio.document()["nodes"][node]["inputs"][name]


def test_numbers_are_typed_as_arithmetic_stepped_and_scrubbed(studio: Studio) -> None:
    width = studio.node("4").get_by_label("width", exact=True)
    width.fill("64*1.5+32")
    width.press("Enter")
    assert value(studio, "4", "width") == 128
    width.press("ArrowUp")
    width.press("Shift+ArrowUp")
    assert value(studio, "4", "width") == 128 + 8 + 80
    for nonsense, end in (("512pt", "Tab"), ("77", "Escape")):
        width.fill("")
        width.press_sequentially(nonsense)
        assert value(studio, "4", "width") == 216, "what is half typed is no value"
        width.press(end)
        expect(width).to_have_value("216")
    cfg = studio.node("5").get_by_label("cfg", exact=True)
    box = cfg.bounding_box()
    assert box is not None
    studio.page.mouse.move(box["x"] + 20, box["y"] + 10)
    studio.page.mouse.down()
    studio.page.mouse.move(box["x"] + 61, box["y"] + 10, steps=4)
    studio.page.mouse.up()
    assert value(studio, "5", "cfg") == 5
    studio.page.keyboard.press("Control+z")
    assert value(studio, "5", "cfg") == 4
    studio.page.mouse.click(box["x"] + 20, box["y"] + 10)
    expect(cfg).to_be_focused()
    studio.page.mouse.wheel(0, -100)
    expect(cfg).to_have_value("4.1")
    assert studio.complaints == []


def test_a_number_that_cannot_be_read_stays_to_be_mended_and_what_was_expected_is_told(studio: Studio) -> None:
    page = studio.attended().page
    steps = studio.node("5").get_by_label("steps", exact=True)
    tip = page.get_by_role("alert").filter(has_text="whole number from 1 to")
    steps.fill("12O")
    steps.press("Enter")
    expected = re.compile(r"^Expected a whole number from 1 to \d+, or arithmetic such as 512\*1\.5\.$")
    expect(tip).to_have_text(expected)
    expect(steps).to_have_value("12O")
    expect(steps).to_be_focused()
    expect(steps).to_have_attribute("aria-invalid", "true")
    expect(steps).to_have_accessible_description(expected)
    steps.press("Backspace")
    expect(tip).to_have_count(0)
    expect(steps).not_to_have_attribute("aria-invalid", "true")
    steps.press("Enter")
    expect(steps).to_have_value("12")
    steps.fill("12O")
    steps.press("Enter")
    expect(tip).to_be_visible()
    steps.press("Escape")
    expect(tip).to_have_count(0)
    expect(steps).to_have_value("12")
    steps.fill("many")
    steps.press("Tab")
    expect(tip).to_contain_text("“many” was not taken; steps is 12. Expected a whole number")
    expect(steps).not_to_have_attribute("aria-invalid", "true")
    page.keyboard.press("Tab")
    expect(tip).to_have_count(0)
    steps.fill("9999999")
    steps.press("Enter")
    expect(tip).to_contain_text("“9999999” was not taken; steps is")
    page.keyboard.press("Tab")
    expect(tip).to_have_count(0)
    assert value(studio, "5", "steps") not in (12, 9999999)
    assert studio.complaints == []


def test_numbers_are_taken_as_they_are_written_elsewhere(browser: Browser, server: str) -> None:
    """With a comma for the point, thousands set apart, in hundredths, with a unit."""
    context = browser.new_context(locale="de-DE", viewport={"width": 1280, "height": 800})
    studio = Studio(context.new_page(), server).open()
    written = {("5", "cfg"): ("7,5", 7.5), ("5", "denoise"): ("50 %", 0.5), ("4", "width"): ("1 024 px", 1024)}
    for (node, name), (text, number) in written.items():
        box = studio.node(node).get_by_label(name, exact=True)
        box.fill(text)
        box.press("Enter")
        expect(box).to_have_value(str(number))
        assert value(studio, node, name) == number
    context.close()


def test_a_seed_changes_after_each_run_and_the_last_is_remembered(studio: Studio) -> None:
    studio.quicken(1)
    seed = studio.node("5").get_by_label("seed", exact=True)
    seed.fill("900")
    seed.press("Tab")
    studio.button("seed: Keep the seed").click()
    studio.page.get_by_role("option", name="One more after each run").click()
    studio.run()
    expect(seed).to_have_value("901")
    assert studio.document()["nodes"]["5"]["after_run"] == {"seed": "increment"}
    studio.button("seed: One more after each run").click()
    studio.page.get_by_role("option", name="Use the last one: 900").click()
    expect(seed).to_have_value("900")
    studio.page.keyboard.press("Control+z")
    expect(seed).to_have_value("901")


def test_a_seed_of_64_bits_keeps_every_digit(studio: Studio) -> None:
    """From the file, through the draft, to the job and back from it."""
    document = studio.document()
    document["nodes"]["5"]["inputs"]["seed"] = 2**64 - 2
    studio.drop(studio.page.locator(".canvas"), "long.json", "application/json", json.dumps(document).encode())
    seed = studio.node("5").get_by_label("seed", exact=True)
    expect(seed).to_have_value("18446744073709551614")
    seed.press("ArrowUp")
    expect(seed).to_have_value("18446744073709551615")
    studio.page.reload()
    expect(seed).to_have_value("18446744073709551615")
    studio.quicken(1)
    studio.run()
    with urllib.request.urlopen(f"{studio.url.rstrip('/')}/api/v1/results?limit=1") as answer:
        (newest,) = json.load(answer)["results"]
    assert newest["seeds"] == [2**64 - 1]
    for typed, shown in (
        ("9007199254740993", "9007199254740993"),
        ("99999999999999999999", str(2**64 - 1)),
        ("5", "5"),
    ):
        seed.fill(typed)
        seed.press("Tab")
        expect(seed).to_have_value(shown)
    assert value(studio, "5", "seed") == 5


def test_long_lists_are_searched(studio: Studio) -> None:
    sampler = studio.node("5").get_by_role("combobox", name="sampler")
    sampler.click()
    studio.page.get_by_role("searchbox", name="Search sampler").fill("2m sde")
    expect(studio.page.get_by_role("listbox", name="sampler").get_by_role("option")).to_have_count(1)
    studio.page.keyboard.press("Enter")
    assert value(studio, "5", "sampler") == "dpmpp_2m_sde"
    expect(sampler).to_be_focused()
    sampler.press("ArrowUp")
    assert value(studio, "5", "sampler") == "dpmpp_2m_cfg_pp"
    studio.node("1").get_by_role("combobox", name="checkpoint").click()
    expect(studio.page.get_by_role("option", name="weft-emoji.safetensors")).to_be_visible()
    studio.page.keyboard.press("Escape")
    assert studio.complaints == []


def test_words_of_a_prompt_are_weighed_and_tokens_counted(studio: Studio) -> None:
    prompt = studio.attended().node("2").get_by_label("text", exact=True)
    prompt.fill("a red <lora:ink:0.8> apple")
    for key in ("End", *["ArrowLeft"] * 8, "Control+ArrowUp", "Control+ArrowUp", "Control+ArrowUp"):
        prompt.press(key)
    expect(prompt).to_have_value("a red <lora:ink:1.1> apple")
    assert value(studio, "2", "text") == "a red <lora:ink:1.1> apple"
    prompt.press("Control+z")
    expect(prompt).to_have_value("a red <lora:ink:1> apple")
    prompt.fill("a red apple")
    prompt.press("End")
    prompt.press("Control+ArrowUp")
    prompt.press("Control+ArrowUp")
    expect(prompt).to_have_value("a red (apple:1.2)")
    assert value(studio, "2", "text") == "a red (apple:1.2)"
    prompt.press("Control+ArrowDown")
    prompt.press("Control+ArrowDown")
    expect(prompt).to_have_value("a red apple")
    count = studio.page.get_by_role("button", name="3 / 75 tokens, chunks: 1")
    count.click()
    expect(studio.page.get_by_role("dialog", name="Tokens of the prompt")).to_contain_text("apple")
    studio.page.keyboard.press("Escape")
    prompt.fill("apple, " * 60)
    expect(studio.page.get_by_role("button", name="120 / 150 tokens, chunks: 2")).to_be_visible()
    assert studio.complaints == []


def test_a_list_of_values_is_one_job_with_a_labelled_sheet(studio: Studio) -> None:
    studio.quicken(1)
    for name, text in (("cfg", "2, 6"), ("seed", "1..3")):
        box = studio.node("5").get_by_label(name, exact=True)
        box.fill(text)
        box.press("Enter")
        expect(studio.node("5").get_by_label(f"{name}, values to try")).to_have_value(text)
    assert studio.document()["nodes"]["5"]["sweep"] == {"cfg": "2, 6", "seed": "1..3"}
    studio.button("Run").click()
    expect(studio.badge("5")).to_have_text(re.compile("^ran"), timeout=RUN_MS)
    studio.wait_for_end()
    pictures = studio.page.get_by_role("group", name="Pictures of this run").get_by_role("button")
    expect(pictures).to_have_count(7)
    size = studio.page.locator(".caption").inner_text()
    across, down = (int(number) for number in re.findall(r"\d+", size))
    assert across > 3 * 128 > 2 * 128 < down, size
    studio.button("Open its workflow").click()
    expect(studio.node("5").get_by_label("seed, values to try")).to_have_value("1..3")
    studio.button("Back to one value of seed").click()
    studio.button("Back to one value of cfg").click()
    assert "sweep" not in studio.document()["nodes"]["5"]
    assert studio.complaints == []


def test_what_is_no_list_is_told_at_its_port(studio: Studio) -> None:
    cfg = studio.node("5").get_by_label("cfg", exact=True)
    cfg.fill("2, 6")
    cfg.press("Enter")
    box = studio.node("5").get_by_label("cfg, values to try")
    box.fill("2, six")
    box.press("Enter")
    studio.button("Run").click()
    expect(studio.node("5")).to_contain_text("“six” is neither a list nor a range")
    box.fill("2, 3")
    box.press("Enter")
    expect(studio.node("5")).not_to_contain_text("neither")


def test_a_mask_is_painted_and_a_picture_cropped(studio: Studio, tmp_path: Path) -> None:
    """The mask is the transparency of an upload that keeps every colour; undo is inside."""
    source = tmp_path / "poppy.png"
    Picture.new("RGB", (96, 64), (200, 30, 60)).save(source)
    loader = "1"
    picture = {"version": 1, "nodes": {loader: {"type": "LoadImage", "inputs": {}}}, "view": {"nodes": {}}}
    studio.drop(studio.page.locator(".canvas"), "start.json", "application/json", json.dumps(picture).encode())
    studio.node(loader).locator("input[type=file]").set_input_files(source)
    expect(studio.node(loader).locator(".file-name")).to_have_text(re.compile("^poppy"))
    studio.node(loader).get_by_role("button", name=re.compile("Paint a mask")).click()
    dialog = studio.page.get_by_role("dialog", name="Paint a mask or crop")
    area = dialog.get_by_role("application")
    box = area.bounding_box()
    assert box is not None

    def drag(x0: float, y0: float, x1: float, y1: float) -> None:
        studio.page.mouse.move(box["x"] + x0 * box["width"], box["y"] + y0 * box["height"])
        studio.page.mouse.down()
        studio.page.mouse.move(box["x"] + x1 * box["width"], box["y"] + y1 * box["height"], steps=4)
        studio.page.mouse.up()

    drag(0.1, 0.8, 0.2, 0.8)
    studio.page.keyboard.press("Control+z")
    drag(0.5, 0.5, 0.6, 0.5)
    dialog.get_by_role("button", name="Crop", exact=True).click()
    drag(0.25, 0.25, 0.75, 0.75)
    dialog.get_by_role("button", name="Use it").click()
    expect(dialog).to_have_count(0)
    expect(studio.page.get_by_text("Uploaded poppy.png.")).to_be_visible()
    name = studio.document()["nodes"][loader]["inputs"]["image"]
    with urllib.request.urlopen(f"{studio.url}api/v1/files/input/{name}") as answer:
        made = Picture.open(io.BytesIO(answer.read()))
    assert (made.mode, made.size) == ("RGBA", (48, 32))
    assert {pixel[:3] for pixel in made.get_flattened_data()} == {(200, 30, 60)}
    assert made.getpixel((26, 16))[3] == 0  # type: ignore[index]
    assert made.getpixel((2, 30))[3] == 255  # type: ignore[index]
    studio.page.keyboard.press("Control+z")
    assert studio.document()["nodes"][loader]["inputs"]["image"] != name
    assert studio.complaints == []


def test_any_widget_takes_several_values(studio: Studio) -> None:
    studio.node("5").get_by_label("steps", exact=True).click(button="right")
    expect(studio.page.get_by_role("menuitem", name="Try several values of steps")).to_be_visible()
    studio.page.keyboard.press("Escape")
    label = studio.node("5").get_by_text("sampler", exact=True)
    label.click(button="right")
    studio.page.get_by_role("menuitem", name="Try several values of sampler").click()
    box = studio.node("5").get_by_label("sampler, values to try")
    expect(box).to_have_value("euler")
    box.fill("euler, heun, ddim")
    box.press("Enter")
    expect(studio.node("5").locator(".sweep-count")).to_have_text("×3")
    studio.button("How to run").click()
    expect(studio.page.get_by_text("One job of 3 combinations")).to_be_visible()
    studio.page.keyboard.press("Escape")
    expect(studio.button("Run")).to_have_attribute("title", re.compile(r"Would run [3-7] nodes"))
    studio.page.keyboard.press("Control+z")
    studio.page.keyboard.press("Control+z")
    expect(studio.node("5").get_by_role("combobox", name="sampler")).to_be_visible()


def test_a_curve_is_drawn(studio: Studio) -> None:
    guidance = {"type": "GuidanceCurve", "inputs": {"points": "0: 7, 1: 1"}}
    document = {"version": 1, "nodes": {"1": guidance}}
    studio.drop(studio.page.locator(".canvas"), "curve.json", "application/json", json.dumps(document).encode())
    studio.button("Draw the curve of points").click()
    curve = studio.page.get_by_role("application", name="Curve of points")
    box = curve.bounding_box()
    assert box is not None
    curve.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    assert value(studio, "1", "points") == "0: 7, 0.5: 5, 1: 1"
    curve.press("ArrowUp")
    assert value(studio, "1", "points") == "0: 7, 0.5: 5.1, 1: 1"
    curve.press("Delete")
    assert value(studio, "1", "points") == "0: 7, 1: 1"
    studio.page.keyboard.press("Escape")
    expect(curve).to_have_count(0)
    assert studio.complaints == []


def test_a_schedule_is_drawn_between_nothing_and_all_noise(studio: Studio) -> None:
    document = {"version": 1, "nodes": {"1": {"type": "CurveScheduler", "inputs": {"points": "0: 1, 1: 0"}}}}
    studio.drop(studio.page.locator(".canvas"), "levels.json", "application/json", json.dumps(document).encode())
    studio.button("Draw the curve of points").click()
    curve = studio.page.get_by_role("application", name="Curve of points")
    box = curve.bounding_box()
    assert box is not None
    mouse = studio.page.mouse
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mouse.down()
    mouse.move(box["x"] + box["width"] / 2, box["y"] - 200, steps=3)
    mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.75, steps=3)
    mouse.up()
    points = str(value(studio, "1", "points"))
    assert re.fullmatch(r"0: 1, 0\.5: 0\.2\d?, 1: 0", points), points
    corners = re.findall(r"[\d.]+ ([\d.]+)", str(curve.locator("path.line").get_attribute("d")))
    heights = [float(y) for y in corners]
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]  # downwards on the screen: it falls
    studio.page.keyboard.press("Escape")
    studio.page.keyboard.press("Control+z")
    assert value(studio, "1", "points") == "0: 1, 1: 0"
    assert studio.complaints == []


def test_a_colour_is_chosen_and_painted(studio: Studio) -> None:
    solid = {"type": "SolidImage", "inputs": {"width": 16, "height": 8, "colour": "#808080", "batch": 1}}
    nodes = {"1": solid, "2": {"type": "SaveImage", "inputs": {"image": {"node": "1", "output": "image"}}}}
    document = {"version": 1, "nodes": nodes}
    studio.drop(studio.page.locator(".canvas"), "even.json", "application/json", json.dumps(document).encode())
    box = studio.node("1").get_by_label("colour", exact=True)
    expect(box).to_have_value("#808080")
    box.fill("#20c060")
    assert value(studio, "1", "colour") == "#20c060"
    studio.run()
    picture = studio.page.locator("img.stage-picture")
    expect(picture).to_be_visible()
    with urllib.request.urlopen(f"{studio.url.rstrip('/')}{picture.get_attribute('src')}") as answer:
        made = Picture.open(io.BytesIO(answer.read())).convert("RGB")
    assert (made.size, made.getpixel((15, 7))) == ((16, 8), (0x20, 0xC0, 0x60))
    studio.page.keyboard.press("Control+z")
    expect(box).to_have_value("#808080")
    assert studio.complaints == []


def test_learned_words_and_loras_are_completed(studio: Studio, models: Path) -> None:
    """A learned word is written out; a LoRA is put between the loader and all that read it."""
    for folder, name in (("embeddings", "cheerful-2"), ("loras", "style-ink")):
        (models / folder).mkdir(exist_ok=True)
        save_file({"weight": torch.zeros(1)}, models / folder / f"{name}.safetensors")
        Picture.new("RGB", (40, 40), "red").save(models / folder / f"{name}.png")
    page = studio.page
    with page.expect_response(re.compile("/api/v1/models$")):
        page.evaluate("dispatchEvent(new Event('focus'))")
    prompt = studio.attended().node("2").get_by_label("text", exact=True)
    prompt.fill("a dog, ")
    prompt.press_sequentially("embedding:CHE")
    expect(page.get_by_role("listbox", name="Learned words").get_by_role("option")).to_have_text(["cheerful-2"])
    prompt.press("Enter")
    expect(prompt).to_have_value("a dog, embedding:cheerful-2")
    expect(prompt).to_be_focused()
    prompt.press_sequentially(" <lora:ink")
    option = page.get_by_role("listbox", name="LoRAs").get_by_role("option", name="style-ink")
    picture = option.locator("img").element_handle()
    page.wait_for_function("picture => picture.naturalWidth > 0", arg=picture)
    option.click()
    expect(prompt).to_have_value("a dog, embedding:cheerful-2")
    studio.node("8").wait_for()
    nodes = studio.document()["nodes"]
    assert (nodes["8"]["type"], nodes["8"]["inputs"]["lora"]) == ("LoRALoader", "style-ink.safetensors")
    assert nodes["8"]["inputs"]["model"] == {"node": "1", "output": "model"}
    assert nodes["5"]["inputs"]["model"] == {"node": "8", "output": "model"}
    assert nodes["2"]["inputs"]["clip"] == nodes["3"]["inputs"]["clip"] == {"node": "8", "output": "clip"}
    assert nodes["6"]["inputs"]["vae"] == {"node": "1", "output": "vae"}
    assert studio.complaints == []
