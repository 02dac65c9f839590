"""Seeing: the viewer of pictures, the gallery of all results, what differs in words, and what nodes tell drawn."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import FloatRect, Locator, Route, expect

from tests.web.conftest import ROOT, RUN_MS, Studio

TOUR = ROOT / "docs" / "workflows"


def paint(studio: Studio, prompt: str, seed: int) -> None:
    box = studio.node("2").get_by_label("text", exact=True)
    box.fill(prompt)
    number = studio.node("5").get_by_label("seed", exact=True)
    number.fill(str(seed))
    number.press("Tab")
    studio.run()


def test_pictures_are_looked_at_closely(studio: Studio) -> None:
    studio.quicken(1)
    batch = studio.node("4").get_by_label("batch", exact=True)
    batch.fill("3")
    batch.press("Tab")
    studio.run()
    studio.button("Look at it closely").click()
    viewer = studio.page.get_by_role("dialog", name="Picture")
    status = viewer.get_by_role("status")
    expect(status).to_contain_text("3 of 3")
    front = viewer.locator("img:not(.back)").first
    fitted = front.bounding_box()
    studio.page.keyboard.press("1")
    actual = front.bounding_box()
    assert fitted is not None
    assert actual is not None
    assert (round(actual["width"]), round(actual["height"])) == (128, 128)
    assert fitted["width"] > 400
    studio.page.keyboard.press("ArrowRight")
    expect(status).to_contain_text("1 of 3")
    studio.page.keyboard.press("c")
    split = viewer.get_by_role("slider", name="How much of each")
    split.fill("25")
    assert "25%" in front.evaluate("each => each.style.clipPath")
    expect(viewer.locator("img.back")).to_be_visible()
    divided, whole = viewer.locator(".viewer-divider").bounding_box(), front.bounding_box()
    assert divided is not None
    assert whole is not None
    assert abs(divided["x"] + 1 - whole["x"] - whole["width"] / 4) < 1
    studio.page.mouse.move(divided["x"] + 9, 300)
    studio.page.mouse.down()
    studio.page.mouse.move(whole["x"] + 0.8 * whole["width"], 320, steps=3)
    studio.page.mouse.up()
    expect(split).to_have_value("80")
    assert front.bounding_box() == whole, "the picture was moved"
    studio.page.keyboard.press("o")
    split.fill("50")
    assert front.evaluate("each => getComputedStyle(each).opacity") == "0.5"
    studio.page.keyboard.press("0")
    studio.page.set_viewport_size({"width": 390, "height": 780})
    expect(front).to_be_in_viewport(ratio=1)
    expect(viewer.get_by_role("button", name="Close")).to_be_in_viewport(ratio=1)
    expect(status).to_be_in_viewport(ratio=1)
    studio.page.set_viewport_size({"width": 1280, "height": 800})
    viewer.get_by_role("slider", name="Which picture").fill("1")
    expect(status).to_contain_text("2 of 3")
    viewer.get_by_role("button", name=re.compile("All at once")).click()
    expect(viewer.get_by_role("button", name="Show picture 3")).to_be_visible()
    studio.page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)
    assert studio.complaints == []


def test_the_gallery_finds_and_compares(studio: Studio) -> None:
    studio.quicken(1)
    paint(studio, "a lighthouse at night", 51)
    paint(studio, "a lighthouse at dawn, and all the words that a line of a window has no room for", 52)
    studio.button("Compare with the run before").click()
    viewer = studio.page.get_by_role("dialog", name="Picture")
    expect(viewer).to_contain_text("seed 51 → 52 on KSampler")
    expect(viewer.locator("img.back")).to_be_visible()
    expect(viewer.get_by_role("button", name="Close")).to_be_in_viewport(ratio=1)
    studio.page.keyboard.press("Escape")
    studio.page.get_by_role("button", name="Gallery", exact=True).click()
    search = studio.page.get_by_role("searchbox", name="Search prompts, models, seeds")
    pictures = studio.page.get_by_role("list", name="Gallery").get_by_role("button")
    search.fill("lighthouse")
    expect(pictures).to_have_count(2)
    search.fill("lighthouse 51")
    expect(pictures).to_have_count(1)
    expect(pictures.first.locator("img")).to_have_js_property("complete", True)
    assert pictures.first.locator("img").evaluate("each => each.naturalWidth") > 0
    search.fill("no such picture")
    expect(studio.page.get_by_text("No picture matches.")).to_be_visible()
    search.fill("lighthouse")
    expect(pictures).to_have_count(2)
    pictures.nth(0).click(modifiers=["Shift"])
    paint(studio, "a lighthouse at noon", 53)
    expect(pictures).to_have_count(3)
    expect(pictures.nth(1)).to_have_attribute("aria-pressed", "true")
    pictures.nth(2).click(modifiers=["Shift"])
    studio.button("Lay over each other").click()
    viewer.get_by_role("slider", name="How much of each").fill("30")
    assert viewer.locator("img:not(.back)").first.evaluate("each => getComputedStyle(each).opacity") == "0.3"
    studio.page.keyboard.press("Escape")
    studio.button("Compare").click()
    expect(viewer).to_contain_text("seed 51 → 52 on KSampler")
    studio.page.keyboard.press("Escape")
    words = studio.page.locator(".differences li")
    expect(words).to_have_count(2)
    expect(words.first).to_have_text(re.compile("^text “a lighthouse at night” → “a lighthouse at dawn, and all"))
    pictures.nth(2).focus()
    studio.page.keyboard.press("o")
    expect(studio.node("5").get_by_label("seed", exact=True)).to_have_value("51")
    studio.run()
    search.fill("lighthouse 51")
    expect(pictures).to_have_count(1)
    assert studio.complaints == []


def test_pictures_of_different_shapes_are_compared_as_they_are(studio: Studio) -> None:
    studio.quicken(1)
    for width in ("128", "192"):
        box = studio.node("4").get_by_label("width", exact=True)
        box.fill(width)
        box.press("Tab")
        studio.run()
    studio.button("Compare with the run before").click()
    viewer = studio.page.get_by_role("dialog", name="Picture")
    assert viewer.locator("img.back").evaluate("each => getComputedStyle(each).objectFit") == "contain"
    expect(viewer.get_by_role("button", name="Step through a strip of film")).to_have_count(0)
    studio.page.keyboard.press("o")
    viewer.get_by_role("slider", name="How much of each").fill("100")
    front = viewer.locator("img:not(.back)").first
    assert front.evaluate("each => getComputedStyle(each).mixBlendMode") == "normal"
    corner: FloatRect = {"x": 900.0, "y": 700.0, "width": 380.0, "height": 100.0}
    before = studio.page.screenshot(clip=corner)
    viewer.get_by_role("button", name="Copy the picture").click()
    expect(studio.page.locator(".notice.shown")).to_contain_text("clipboard")
    studio.page.mouse.move(400, 400)
    assert studio.page.screenshot(clip=corner) != before, "the notice lies under the dialog"
    assert studio.complaints == []


def test_two_fingers_zoom_a_picture(studio: Studio) -> None:
    studio.quicken(1)
    studio.run()
    studio.button("Look at it closely").click()
    front = studio.page.get_by_role("dialog", name="Picture").locator("img:not(.back)").first
    fitted = front.bounding_box()
    fingers = studio.page.context.new_cdp_session(studio.page)

    def touch(kind: str, *places: int) -> None:
        points = [{"x": x, "y": 400, "id": id} for id, x in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", 600)
    touch("touchStart", 600, 680)
    for step in range(10, 50, 10):
        touch("touchMove", 600 - step, 680 + step)
    touch("touchEnd")
    zoomed = front.bounding_box()
    assert fitted is not None
    assert zoomed is not None
    assert abs(zoomed["width"] / fitted["width"] - 2) < 0.05
    assert abs((640 - zoomed["x"]) / zoomed["width"] - (640 - fitted["x"]) / fitted["width"]) < 0.02
    assert studio.complaints == []


def test_a_result_is_that_of_the_workflow_on_the_table(studio: Studio) -> None:
    studio.quicken(1)
    studio.run()
    shown, empty = (
        studio.page.locator(".stage-picture:not(.preview)"),
        studio.page.get_by_text("Your picture appears here"),
    )
    expect(shown).to_be_visible()
    inspect = (TOUR / "inspect.json").read_bytes()
    studio.drop(studio.page.locator(".canvas"), "inspect.json", "application/json", inspect)
    expect(empty).to_be_visible()
    studio.button("Run").click()
    studio.wait_for_end()
    expect(studio.page.locator(".told")).to_contain_text("weft-emoji")
    expect(shown).to_be_hidden()
    studio.page.get_by_role("tab").first.click()
    expect(shown).to_be_visible()
    assert studio.complaints == []


def test_what_nodes_tell_is_drawn(studio: Studio) -> None:
    film = json.loads((TOUR / "film.json").read_text())
    film["nodes"]["5"]["inputs"]["steps"] = 2
    film["nodes"]["8"]["inputs"]["last"] = 2
    studio.drop(studio.page.locator(".canvas"), "film.json", "application/json", json.dumps(film).encode())
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("film")
    studio.button("Run").click()
    studio.wait_for_end()
    expect(studio.page.get_by_role("img", name=re.compile("^Spread: from .* over 2 steps"))).to_be_visible(
        timeout=RUN_MS
    )
    assert studio.page.locator(".plot .line").count() >= 8
    studio.page.get_by_role("button", name="Show picture 1").click()
    studio.button("Look at it closely").click()
    studio.button("Step through a strip of film").click()
    frame = studio.page.get_by_role("slider", name="Which frame")
    frame.fill("1")
    expect(studio.page.get_by_role("dialog", name="Picture").get_by_role("status")).to_have_text("2 of 2")


def test_each_cell_of_a_sweep_opens_its_own_workflow(studio: Studio) -> None:
    """From the sheet, from the page's list of results, and from the file."""
    studio.quicken(1)
    for name, values in (("cfg", "3, 6"), ("seed", "71, 72")):
        box = studio.node("5").get_by_label(name, exact=True)
        box.fill(values)
        box.press("Tab")
    studio.run()
    studio.button("seed 72 · cfg 3").click()
    expect(studio.page.locator(".caption")).to_have_text("128 × 128 · seed 72 · cfg 3")
    studio.page.get_by_role("button", name="Gallery", exact=True).click()
    studio.page.get_by_role("searchbox", name="Search prompts, models, seeds").fill("71 72")
    cells = studio.page.get_by_role("list", name="Gallery").get_by_role("button")
    expect(cells).to_have_count(5)
    for cell in (0, 1):
        cells.nth(cell).click(modifiers=["Shift"])
    studio.button("Compare").click()
    compared = studio.page.get_by_role("dialog", name="Picture").get_by_role("status")
    expect(compared).to_have_text(re.compile(r"\.png · seed 71 → 72 on KSampler$"))
    studio.page.keyboard.press("Escape")
    studio.page.get_by_role("button", name="Result", exact=True).click()
    studio.button("Show picture 5").click()
    studio.button("Look at it closely").click()
    viewer = studio.page.get_by_role("dialog", name="Picture")
    status = viewer.get_by_role("status")
    expect(status).to_contain_text("5 of 5")
    sheet = viewer.locator("img:not(.back)").first.bounding_box()
    assert sheet is not None
    studio.page.mouse.click(sheet["x"] + 0.9 * sheet["width"], sheet["y"] + 0.9 * sheet["height"])
    expect(status).to_have_text(re.compile(r"^4 of 5 · 128 × 128 · seed 72 · cfg 6$"))
    studio.page.keyboard.press("g")
    expect(viewer.locator(".viewer-grid small").nth(1)).to_have_text("seed 72 · cfg 3")
    studio.page.keyboard.press("ArrowLeft")
    studio.page.keyboard.press("ArrowLeft")
    expect(viewer.get_by_role("button", name="Show picture 2")).to_be_focused()
    studio.page.keyboard.press("Enter")
    expect(status).to_contain_text("2 of 5")
    url = str(viewer.locator("img:not(.back)").first.get_attribute("src"))
    viewer.get_by_role("button", name=re.compile("^Open its workflow")).click()
    expect(viewer).to_have_count(0)

    def made_with() -> tuple[object, object, object]:
        node = studio.document()["nodes"]["5"]
        return node["inputs"]["seed"], node["inputs"]["cfg"], node.get("sweep")

    expect(studio.page.locator(".stage-picture:not(.preview)")).to_have_attribute("src", url)
    assert made_with() == (72, 3, None)
    expect(studio.page.locator(".bar-status")).to_have_text("Nothing to run: everything is cached")
    picture = studio.page.request.get(studio.url.rstrip("/") + url).body()
    studio.drop(studio.page.locator(".canvas"), "cell.png", "image/png", picture)
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("cell")
    assert made_with() == (72, 3, None)
    assert studio.complaints == []


def test_pictures_of_the_gallery_are_dragged_onto_nodes_and_deleted(studio: Studio) -> None:
    studio.quicken(1)
    for seed in (61, 62, 63):
        paint(studio, "a quince on a plate", seed)
    page = studio.page
    page.get_by_role("button", name="Gallery", exact=True).click()
    search = page.get_by_role("searchbox", name="Search prompts, models, seeds")
    pictures = page.get_by_role("list", name="Gallery").get_by_role("button")
    search.fill("quince")
    expect(pictures).to_have_count(3)
    pictures.nth(2).drag_to(page.locator(".canvas"), target_position={"x": 40, "y": 500})
    expect(page.get_by_role("tab")).to_have_count(2)
    expect(studio.node("5").get_by_label("seed", exact=True)).to_have_value("61")
    page.locator(".canvas").dblclick(position={"x": 40, "y": 500})
    page.keyboard.type("load image")
    page.keyboard.press("Enter")
    loader = page.locator(".node", has_text="Load image")
    pictures.nth(0).drag_to(loader.locator(".drop"))
    expect(loader.locator("img.thumbnail")).to_have_attribute("src", re.compile("/input/weft-.*png"))
    for place in (0, 1):
        pictures.nth(place).click(modifiers=["Shift"])
    page.get_by_role("button", name="Delete", exact=True).click()
    question = page.get_by_role("dialog", name="Delete 2 pictures?")
    question.get_by_role("button", name="Keep").click()
    expect(pictures).to_have_count(3)
    pictures.nth(0).focus()
    page.keyboard.press("Delete")
    question.get_by_role("button", name="Delete").click()
    expect(pictures).to_have_count(1)
    expect(pictures.first).to_be_focused()
    search.fill("quince 6")
    expect(pictures).to_have_count(1)
    assert studio.complaints == []


def test_how_a_picture_formed_is_scrubbed_after_its_run(studio: Studio) -> None:
    """Without a node for it, from the previews of the run; at the end stands the picture."""
    number = studio.node("5").get_by_label("seed", exact=True)
    number.fill("9471")
    number.press("Tab")
    studio.run()
    slider = studio.page.get_by_role("slider", name="How the picture formed, step by step")
    frame, picture = studio.page.locator("canvas.preview"), studio.page.locator("img.stage-picture")
    expect(slider).to_be_visible()
    expect(frame).to_be_hidden()
    slider.fill("0")
    expect(frame).to_be_visible()
    first = frame.evaluate("canvas => canvas.toDataURL()")
    slider.press("ArrowRight")
    studio.page.wait_for_function("first => document.querySelector('canvas.preview').toDataURL() !== first", arg=first)
    slider.press("End")
    expect(frame).to_be_hidden()
    expect(picture).to_be_visible()
    studio.button("Play how it formed").click()
    expect(frame).to_be_visible()
    expect(frame).to_be_hidden()
    studio.page.keyboard.press("Alt+N")
    expect(slider).to_be_hidden()
    assert studio.complaints == []


def test_words_of_the_prompt_are_laid_over_the_picture(studio: Studio) -> None:
    """Of a batch, by press, hover and keys; where the fox is, its word is bright, and the owl's is where the owl is."""
    maps = json.loads((TOUR / "attention-maps.json").read_text())
    maps["nodes"]["4"]["inputs"]["batch"] = 2
    maps["nodes"]["5"]["inputs"]["steps"] = 8
    studio.drop(studio.page.locator(".canvas"), "maps.json", "application/json", json.dumps(maps).encode())
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("maps")
    studio.button("Run").click()
    studio.wait_for_end()
    studio.button("See on the picture: fox").click(timeout=RUN_MS)
    viewer = studio.page.get_by_role("dialog", name="Picture")
    words, fox = viewer.get_by_role("toolbar", name="Words of the prompt"), viewer.get_by_role("img", name=MAP % "fox")
    expect(fox).to_be_visible()
    expect(words.get_by_role("button")).to_have_text(
        ["a", "fox", "left", "of", "an", "owl", "on", "yellow", "background"]
    )
    expect(words.get_by_role("button", pressed=True)).to_have_text("fox")
    assert brightest(fox) == "left"
    assert fox.bounding_box() == viewer.locator("img:not(.back)").bounding_box()
    words.get_by_role("button", name="fox").focus()
    for _ in range(4):
        studio.page.keyboard.press("ArrowRight")
    owl = viewer.get_by_role("img", name=MAP % "owl")
    expect(words.get_by_role("button", name="owl")).to_be_focused()
    assert brightest(owl) == "right"
    assert studio.page.get_by_text("1 of 2").count() == 0, "arrows between words turned the page"
    viewer.get_by_role("slider", name="Strength of the map").fill("40")
    expect(owl).to_have_css("opacity", "0.4")
    first = owl.evaluate(DATA)
    viewer.locator(".viewer-stage").press("ArrowRight")
    expect(viewer.get_by_text("1 of 2")).to_be_visible()
    expect(words.get_by_role("button", pressed=True)).to_have_text("owl")
    expect(owl).to_be_visible()
    assert owl.evaluate(DATA) != first, "every picture of a batch has a map of its own"
    words.get_by_role("button", name="owl").click()
    expect(viewer.locator(".heat")).to_be_hidden()
    words.get_by_role("button", name="yellow").hover()
    expect(viewer.get_by_role("img", name=MAP % "yellow")).to_be_visible()
    viewer.locator(".viewer-stage").hover()
    expect(viewer.locator(".heat")).to_be_hidden()
    studio.page.keyboard.press("c")
    expect(words).to_be_hidden()
    assert studio.complaints == []


def test_words_of_a_sweep_are_offered_once_and_lead_to_a_picture_that_has_them(studio: Studio) -> None:
    maps = json.loads((TOUR / "attention-maps.json").read_text())
    maps["nodes"]["5"]["inputs"]["steps"] = 1
    studio.drop(studio.page.locator(".canvas"), "words.json", "application/json", json.dumps(maps).encode())
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("words")
    seed = studio.node("5").get_by_label("seed", exact=True)
    seed.fill("1, 2, 3, 4")
    seed.press("Tab")
    studio.run()
    expect(studio.page.locator(".caption")).to_contain_text("536 × 156")
    owl = studio.page.get_by_role("button", name="See on the picture: owl")
    expect(owl).to_have_count(1)
    owl.click()
    viewer = studio.page.get_by_role("dialog", name="Picture")
    expect(viewer.get_by_text(re.compile("^1 of 5 .* seed 1$"))).to_be_visible()
    expect(viewer.get_by_role("img", name=MAP % "owl")).to_be_visible()
    studio.page.keyboard.press("ArrowLeft")
    expect(viewer.get_by_text(re.compile("^5 of 5"))).to_be_visible()
    expect(viewer.locator(".heat")).to_be_hidden()
    assert studio.complaints == []


MAP = "What “%s” has to do with"
DATA = "each => each.toDataURL()"


def brightest(canvas: Locator) -> str:
    """Which half of a map holds more light."""
    left, right = canvas.evaluate(
        """each => {
            const { width, height } = each;
            const copy = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
            copy.drawImage(each, 0, 0);
            const { data } = copy.getImageData(0, 0, width, height);
            const sums = [0, 0];
            for (let i = 0; i < width * height; i++) sums[(i % width) * 2 < width ? 0 : 1] += data[4 * i + 1];
            return sums;
        }"""
    )
    return "left" if left > right else "right"


def test_a_gallery_of_thousands_has_elements_for_what_is_near_alone(studio: Studio) -> None:
    page, shown = studio.page, []

    def answer(route: Route) -> None:
        """2,000 results in pages of 200, as the server tells of them; every thumbnail is one and the same."""
        query = parse_qs(urlsplit(route.request.url).query)
        first = int(query["cursor"][0] or 0) if "cursor" in query else 0
        shown.append(first)
        numbers = range(first, min(first + 200, 2000))
        route.fulfill(json={"results": [result(number) for number in numbers], "next": last(first)})

    def last(first: int) -> str | None:
        return str(first + 200) if first < 1800 else None

    def result(number: int) -> dict[str, object]:
        picture = {"node": "7", "url": f"/api/v1/files/output/p{number}.png", "media_type": "image/png"}
        sized = {**picture, "width": 128, "height": 128}
        made = {"prompts": [f"picture {number}"], "models": [], "seeds": [number], "pictures": [sized]}
        return {"job": f"job{number}", "finished": 1_700_000_000_000 - number, **made}

    thumbnail = ROOT / "web" / "templates" / "default.webp"
    page.route("**/api/v1/results?**", answer)
    page.route("**/api/v1/thumbnails/output/p*", lambda route: route.fulfill(path=thumbnail))
    page.route("**/api/v1/files/output/p*", lambda route: route.fulfill(path=thumbnail))
    page.route("**/api/v1/jobs/job*/workflow", lambda route: route.fulfill(json={"version": 1, "nodes": {}}))
    page.get_by_role("button", name="Gallery", exact=True).click()
    pictures = page.get_by_role("list", name="Gallery").get_by_role("listitem")
    expect(pictures.first).to_have_attribute("aria-posinset", "1")
    expect(pictures.first).to_have_attribute("aria-setsize", "-1")
    pictures.first.get_by_role("button").click(modifiers=["Shift"])
    pictures.first.get_by_role("button").focus()
    for reached in range(200, 2001, 200):
        page.keyboard.press("End")
        expect(page.locator(f'.windowed [aria-posinset="{reached}"] button')).to_be_focused()
        if reached < 2000:
            expect(page.locator(f'.windowed [aria-posinset="{reached + 1}"]')).to_be_attached()
    assert shown[-10:] == list(range(0, 2000, 200))
    expect(pictures.last).to_have_attribute("aria-setsize", "2000")
    expect(pictures.last).to_be_in_viewport(ratio=0.9)
    assert pictures.count() < 120
    columns = page.locator(".windowed").evaluate("each => getComputedStyle(each).gridTemplateColumns.split(' ').length")
    page.keyboard.press("ArrowUp")
    expect(page.locator(f'.windowed [aria-posinset="{2000 - columns}"] button')).to_be_focused()
    page.keyboard.press("ArrowLeft")
    focused = page.locator(f'.windowed [aria-posinset="{1999 - columns}"] button')
    expect(focused).to_be_focused()
    expect(page.locator('.windowed button[tabindex="0"]')).to_have_count(1)
    focused.click(modifiers=["Shift"])
    expect(page.locator(".gallery .section-head", has_text="Chosen: 2")).to_be_visible()
    page.locator(".panel").evaluate("each => each.querySelector('.windowed').scrollIntoView({ block: 'start' })")
    expect(page.locator('.windowed [aria-posinset="1"] button')).to_have_attribute("aria-pressed", "true")
    expect(focused).to_be_focused()
    assert pictures.count() < 120
    order = pictures.evaluate_all("each => each.map(one => Number(one.ariaPosInSet))")
    assert order == sorted(order)
    page.keyboard.press("Enter")
    status = page.get_by_role("dialog", name="Picture").get_by_role("status")
    expect(status).to_contain_text(f"{1999 - columns} of 2000 · 128 × 128 · picture {1998 - columns}")
    assert studio.complaints == []
