"""Several values at a time: where one of them fails, the others are there and say what they are."""

from __future__ import annotations

import json
import re

from playwright.sync_api import expect

from tests.web.conftest import ROOT, RUN_MS, Studio


def test_a_cell_that_fails_leaves_the_others(studio: Studio) -> None:
    page = studio.page
    document = json.loads((ROOT / "web/templates/default.json").read_text("utf-8"))
    loader = {"type": "LoRALoader", "inputs": {"model": {"node": "1", "output": "model"}, "strength_clip": 0.0}}
    loader["inputs"] |= {"lora": "weft-emoji-flat.safetensors", "strength_model": 1.0}
    document["nodes"] |= {"8": loader}
    document["nodes"]["1"]["inputs"]["checkpoint"] = "weft-emoji-unet.safetensors"
    document["nodes"]["5"]["inputs"] |= {"model": {"node": "8", "output": "model"}, "steps": 1}
    document["nodes"]["1"]["sweep"] = {"checkpoint": "weft-emoji-unet, weft-emoji.safetensors"}
    del document["view"]
    studio.drop(page.locator(".canvas"), "cells.json", "application/json", json.dumps(document).encode())
    studio.node("8").get_by_text("strength model", exact=True).click(button="right")
    page.get_by_role("menuitem", name="Try several values of strength model").click()
    strengths = studio.node("8").get_by_label("strength model, values to try")
    strengths.fill("0, 1")
    strengths.press("Enter")
    studio.button("Run").click()
    lost = "checkpoint weft-emoji · strength model 1: "
    expect(studio.node("8").get_by_role("alert")).to_contain_text(
        re.compile(f"^{lost}.*It was made for another model"), timeout=RUN_MS
    )
    expect(page.get_by_role("region", name="Problems").get_by_role("listitem")).to_have_text(
        re.compile(f"LoRA.*{lost}")
    )
    studio.wait_for_end()
    pictures = page.get_by_role("group", name="Pictures of this run").get_by_role("button")
    of = [f"{model} · strength model {strength}" for model, strength in (("-unet", 0), ("", 0), ("-unet", 1))]
    expect(pictures).to_have_count(4)
    for number, label in enumerate(of):
        expect(pictures.nth(number)).to_have_attribute("aria-label", re.compile(f"checkpoint weft-emoji{label}$"))
    page.reload()
    expect(studio.node("8").get_by_role("alert")).to_contain_text(lost)
    assert studio.complaints == []
