"""Workflows of ComfyUI on the page: pictures and texts that carry one open, run, and say what is missing."""

from __future__ import annotations

import io
import json
import re

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from tests.compat.drawings import Drawn, text_to_image
from tests.web.conftest import Studio

PASTE = """text => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
}"""


def png(**texts: object) -> bytes:
    info = PngInfo()
    for keyword, document in texts.items():
        info.add_text(keyword, json.dumps(document))
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "png", pnginfo=info)
    return file.getvalue()


def webp(document: object) -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = f"workflow:{json.dumps(document)}", 'prompt:{"broken'
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "webp", exif=exif)
    return file.getvalue()


def test_a_picture_made_by_comfyui_opens_and_runs(studio: Studio) -> None:
    drawn, api = text_to_image()
    around = {"title": "Words", "bounding": [405, 120, 450, 460], "color": "#3f789e"}
    picture = png(prompt={"1": {"class_type": "Other", "inputs": {}}}, workflow={**drawn, "groups": [around]})
    studio.drop(studio.page.locator(".canvas"), "fox.png", "image/png", picture)
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("fox")
    expect(studio.page.locator("dialog[open]")).to_have_count(0)
    assert [frame["title"] for frame in studio.document()["view"]["frames"].values()] == ["Words"]
    studio.run()
    expect(studio.page.locator("img.stage-picture")).to_have_attribute("src", re.compile("/files/output/ComfyUI"))
    api["8"]["is_changed"] = [float("nan")]
    for name, kind, content in (("bare.png", "image/png", png(prompt=api)), ("w.webp", "image/webp", webp(drawn))):
        studio.drop(studio.page.locator(".canvas"), name, kind, content)
        expect(studio.page.get_by_label("Name of the workflow")).to_have_value(name.split(".")[0])
        assert studio.document()["nodes"]["6"]["inputs"]["text"] == "a fox on blue background"
    assert studio.complaints == []


def test_pasted_text_opens_and_says_what_has_no_counterpart(studio: Studio) -> None:
    drawn, _ = text_to_image()
    d = Drawn(drawn["nodes"], drawn["links"])
    d.node(30, "Pack Glow", {"by": 0.5}, "IMAGE", image=(8, 0))
    d.node(31, "PreviewImage", None, images=(30, 0))
    studio.page.evaluate(PASTE, json.dumps(d.json()))
    dialog = studio.page.get_by_role("dialog", name="Opened from ComfyUI")
    expect(dialog.get_by_role("listitem")).to_have_text(
        ["1 of 9 nodes have no counterpart here and are kept as they are: Pack Glow."]
    )
    studio.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    kept = studio.document()["nodes"]["30"]
    assert kept == {"type": "Pack Glow", "inputs": {"by": 0.5, "image": {"node": "8", "output": "image"}}}
    studio.page.evaluate(PASTE, '{"version": 99, "nodes": {}}')
    expect(studio.page.locator(".notice")).to_contain_text("Untitled could not be opened: it has format version 99")
    assert studio.complaints == []
