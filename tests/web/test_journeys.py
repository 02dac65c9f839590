"""What a newcomer does, from the first minute on, with the mouse."""

from __future__ import annotations

import io
import re

from PIL import Image
from playwright.sync_api import Locator, expect

from tests.web.conftest import RUN_MS, Studio


def drag_out(studio: Studio, port: Locator, x: float, y: float, title: str) -> None:
    """Drag a link to the empty canvas and choose the node it leads to."""
    studio.drag(port, x, y)
    options = studio.page.get_by_role("option")
    options.filter(has_text=re.compile(f"^{title}")).first.click()
    expect(studio.page.locator("dialog[open]")).to_have_count(0)


def add(studio: Studio, x: float, y: float, title: str) -> None:
    studio.page.locator(".canvas").dblclick(position={"x": x, "y": y})
    option = studio.page.get_by_role("option").filter(has_text=re.compile(f"^{title}")).first
    option.scroll_into_view_if_needed()
    option.click()


def whole(studio: Studio) -> None:
    studio.button("Show everything").click()
    studio.page.wait_for_timeout(300)


def test_an_image_to_image_by_dropping_a_picture(studio: Studio) -> None:
    page = studio.page
    file = io.BytesIO()
    Image.new("RGB", (128, 128), (40, 90, 200)).save(file, "PNG")
    studio.drop(studio.page.locator(".canvas-hint, .canvas").first, "blue.png", "image/png", file.getvalue())
    loader = page.locator(".node").filter(has_text="Load image").first
    loader.wait_for()
    id = str(loader.get_attribute("data-node"))
    whole(studio)
    image = studio.port(id, "output", "image")
    drag_out(studio, image, 150, 700, "VAE encode")
    encode = str(page.locator('.node[aria-current="true"]').get_attribute("data-node"))
    whole(studio)
    studio.drag_to(studio.port("1", "output", "vae"), studio.port(encode, "input", "vae"))
    studio.drag_to(studio.port(encode, "output", "latent"), studio.port("5", "input", "latent"))
    denoise = studio.node("5").get_by_label("denoise", exact=True)
    denoise.fill("0.6")
    denoise.press("Enter")
    studio.quicken(6)
    studio.run()
    expect(page.locator(".bar-status")).to_have_text(re.compile("^Done"))
    assert studio.document()["nodes"]["5"]["inputs"]["latent"] == {"node": encode, "output": "latent"}


def test_two_models_are_merged_and_the_ratio_moved(studio: Studio) -> None:
    page = studio.page
    page.keyboard.press("Control+o")
    page.get_by_role("button", name="Templates").first.click()
    page.get_by_role("button", name=re.compile("^Merge two models")).click()
    merge = page.locator(".node").filter(has_text="ratio").first
    merge.wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".bar-status")).to_have_text(re.compile("^Done"), timeout=RUN_MS)
    ratio = merge.get_by_label("ratio", exact=True)
    ratio.fill("0.25")
    ratio.press("Enter")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".bar-status")).to_have_text(re.compile("^Done"), timeout=RUN_MS)
    expect(merge.locator(".node-badge")).to_have_text(re.compile("^ran"))


def test_text_to_image_from_an_empty_canvas_by_mouse_alone(studio: Studio) -> None:
    page = studio.page
    studio.button("Main commands").click()
    page.get_by_role("menuitem", name=re.compile("^New workflow")).click()
    expect(page.locator(".node")).to_have_count(0)
    add(studio, 120, 120, "Load checkpoint")
    page.locator(".node").wait_for()
    drag_out(studio, studio.port("1", "output", "clip"), 150, 600, "Prompt")
    whole(studio)
    drag_out(studio, studio.port("2", "output", "conditioning"), 880, 120, "KSampler")
    whole(studio)
    studio.drag_to(studio.port("1", "output", "model"), studio.port("3", "input", "model"))
    studio.drag_to(studio.port("2", "output", "conditioning"), studio.port("3", "input", "negative"))
    drag_out(studio, studio.port("3", "input", "latent"), 880, 780, "Empty latent")
    whole(studio)
    drag_out(studio, studio.port("3", "output", "latent"), 70, 770, "VAE decode")
    whole(studio)
    studio.drag_to(studio.port("1", "output", "vae"), studio.port("5", "input", "vae"))
    drag_out(studio, studio.port("5", "output", "image"), 70, 80, "Preview image")
    nodes = studio.document()["nodes"]
    links = sum(isinstance(value, dict) for node in nodes.values() for value in node["inputs"].values())
    assert (len(nodes), links) == (6, 8)
