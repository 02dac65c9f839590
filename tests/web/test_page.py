"""What a person does with the page, in a real browser against a real server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Locator, WebSocketRoute, expect

from tests.web.conftest import RUN_MS, STANDS, Studio, serving, wait_until_ready

LINKED = re.compile(r"\blinked\b")
WRONG = re.compile(r"\bwrong\b")
NOT_MODIFIED = 300
"""What Chromium counts as bytes sent for an answer 304, whatever its headers."""
HOSTILE = '<img src=x onerror="window.hurt=1">"><script>window.hurt=1</script>javascript:alert(1)'


def picture(studio: Studio) -> Locator:
    return studio.page.locator("img.stage-picture")


def test_first_picture(studio: Studio) -> None:
    """Open, press Run, see the picture form and appear; every node says what it did."""
    preview = studio.page.locator("canvas.preview")
    preview.evaluate(
        """canvas => {
            window.previews = 0;
            const note = () => { window.previews += !canvas.hidden && canvas.width > 1; };
            new MutationObserver(note).observe(canvas, { attributes: true });
        }"""
    )
    studio.node("2").get_by_role("textbox", name="text").fill("a picture nobody has asked for before")
    studio.button("Run").click()
    expect(studio.button("Cancel")).to_be_visible()
    studio.wait_for_end()
    assert studio.page.evaluate("window.previews") >= 2
    expect(picture(studio)).to_be_visible()
    expect(preview).to_be_hidden()
    assert picture(studio).evaluate("image => image.decode().then(() => image.naturalWidth)") == 128
    for id in ("1", "2", "3", "4", "5", "6", "7"):
        expect(studio.badge(id)).to_have_text(re.compile(r"^(ran|cached)"))
    expect(studio.page.locator(".earlier .thumb").first).to_be_visible()
    assert studio.complaints == []


def test_first_view_shows_prompt_run_and_result(studio: Studio) -> None:
    """Whole graph and result panel on screen at two common sizes, the prompt in reading size."""
    for width, height in ((1280, 800), (1600, 900)):
        studio.page.set_viewport_size({"width": width, "height": height})
        studio.page.reload()
        for id in ("1", "2", "3", "4", "5", "6", "7"):
            box = studio.node(id).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["y"] >= 48
            assert box["y"] + box["height"] <= height
        panel = studio.page.locator(".panel").bounding_box()
        assert panel is not None
        assert panel["width"] >= 320
        assert panel["x"] + panel["width"] == width
        prompt = studio.node("2").get_by_role("textbox", name="text").bounding_box()
        assert prompt is not None
        assert prompt["height"] >= 100
        expect(studio.page.get_by_text("Your picture appears here.")).to_be_visible()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_loading_is_small_quiet_and_local(browser: Browser, server: str, language: str) -> None:
    """Few bytes and requests, all to the server, none twice; a reload asks for nothing that is as it was."""
    context = browser.new_context(locale=language)
    studio = Studio(context.new_page(), server)
    studio.page.add_init_script(STANDS)
    with studio.page.expect_response(re.compile(r"/later\.js$")):
        studio.open()
    stands = studio.page.evaluate("window.stands_")
    code = {path: size for path, size, _, at in loaded(studio) if path.endswith((".js", ".css")) and at < stands}
    assert 50_000 < sum(code.values()) <= 120_000, code
    assert len(studio.requests) <= 40
    assert all(url.startswith(studio.url) for url in studio.requests)
    assert [url for url in studio.requests if studio.requests.count(url) > 1 and not url.endswith("/icon.svg")] == []
    studio.page.reload()
    studio.node("5").wait_for()
    assert [path for path, _, sent, _ in loaded(studio) if sent > 0 and path.startswith("/web/")] == []
    assert [sent for path, _, sent, _ in loaded(studio) if path == "/api/v1/nodes"] == [NOT_MODIFIED]
    assert studio.complaints == []
    context.close()


def loaded(studio: Studio) -> list[tuple[str, int, int, float]]:
    """What the page consists of: path, bytes of the body as they came, bytes sent for it now, when it was asked for."""
    return studio.page.evaluate(
        """() => performance.getEntriesByType("resource")
            .map(each => [new URL(each.name).pathname, each.encodedBodySize, each.transferSize, each.startTime])"""
    )


def test_another_seed_runs_only_what_follows(studio: Studio) -> None:
    studio.quicken()
    studio.run()
    studio.button("Random seed").click()
    studio.run()
    for id in ("1", "2", "3", "4"):
        expect(studio.badge(id)).to_have_text("cached")
    for id in ("5", "6", "7"):
        expect(studio.badge(id)).to_have_text(re.compile("^ran "))
    expect(studio.node("5").locator(".node-status")).to_have_text(re.compile(r"^seed 1 → \d+$"))


def test_another_prompt_runs_one_encoder_and_undoing_runs_nothing(studio: Studio) -> None:
    studio.quicken()
    studio.run()
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.fill("a cat face on red background")
    prompt.press("Control+Enter")
    studio.wait_for_end()
    expect(studio.badge("2")).to_have_text(re.compile("^ran "))
    expect(studio.badge("3")).to_have_text("cached")
    studio.button("Undo").click()
    studio.run()
    for id in ("1", "2", "3", "4", "5", "6", "7"):
        expect(studio.badge(id)).to_have_text("cached")


def test_a_deleted_node_comes_back_with_how_it_fared_and_another_never_takes_its_place(studio: Studio) -> None:
    studio.attended().quicken()
    studio.run()
    told = studio.badge("7").inner_text()
    assert re.match("cached|ran", told)
    studio.node("7").locator(".node-head").click()
    studio.page.keyboard.press("Delete")
    expect(studio.node("7")).to_have_count(0)
    studio.page.keyboard.press("Control+z")
    expect(studio.badge("7")).to_have_text(told)
    studio.node("7").locator(".node-head").click()
    studio.page.keyboard.press("Delete")
    expect(studio.page.locator(".canvas")).to_be_focused()
    studio.page.keyboard.press("Tab")
    studio.page.get_by_role("combobox", name="Search nodes").fill("Save image")
    studio.page.keyboard.press("Enter")
    expect(studio.badge("8")).to_have_text("")
    assert "7" not in studio.document()["nodes"]


def test_a_missing_link_is_shown_on_its_port(studio: Studio) -> None:
    port = studio.port("5", "input", "latent")
    expect(port).to_have_class(LINKED)
    studio.drag(port, 450, 700)
    expect(port).not_to_have_class(LINKED)
    studio.button("Run").click()
    expect(port).to_have_class(WRONG)
    expect(studio.node("5").get_by_role("alert")).to_be_visible()
    entry = studio.page.get_by_role("region", name="Problems").locator("button.problem-item")
    expect(entry).to_contain_text("latent")
    studio.page.locator(".canvas").click(position={"x": 100, "y": 700})
    entry.click()
    expect(studio.node("5")).to_have_attribute("aria-current", "true")
    studio.button("Undo").click()
    expect(port).to_have_class(LINKED)
    expect(port).not_to_have_class(WRONG)
    expect(studio.page.get_by_role("region", name="Problems")).to_be_hidden()


def test_cancel(studio: Studio) -> None:
    studio.quicken(100)
    studio.button("Random seed").click()
    studio.button("Run").click()
    expect(studio.badge("5")).to_have_text(re.compile("of 100"), timeout=RUN_MS)
    studio.button("Cancel").click()
    expect(studio.page.locator(".bar-status")).to_have_text("Cancelled", timeout=RUN_MS)
    expect(studio.button("Run")).to_be_enabled()


def test_save_open_and_the_same_name_twice(studio: Studio, browser: Browser) -> None:
    page = studio.page
    studio.node("2").get_by_role("textbox", name="text").fill("saved words")
    page.keyboard.press("Control+s")
    page.get_by_label("Name", exact=True).fill("My owl")
    page.keyboard.press("Enter")
    expect(page.locator(".notice")).to_contain_text("Saved My owl")
    expect(page.locator(".unsaved")).to_be_hidden()

    other = Studio(browser.new_context(viewport={"width": 1280, "height": 800}).new_page(), studio.url).open()
    other.page.keyboard.press("Control+o")
    other.page.get_by_role("button", name=re.compile("^My owl")).click()
    prompt = other.node("2").get_by_role("textbox", name="text")
    expect(prompt).to_have_value("saved words")
    prompt.fill("changed in another window")
    prompt.press("Control+s")
    expect(other.page.locator(".notice")).to_contain_text("Saved My owl")
    other.page.context.close()

    studio.node("2").get_by_role("textbox", name="text").fill("changed here")
    page.keyboard.press("Control+s")
    expect(page.get_by_role("dialog")).to_contain_text("changed elsewhere")
    expect(page.get_by_role("dialog")).to_contain_text("text")
    with page.expect_response(lambda answer: answer.request.method == "PUT" and answer.ok):
        studio.button("Overwrite").click()
    with urlopen(f"{studio.url}api/v1/workflows/My%20owl") as answer:
        assert json.load(answer)["nodes"]["2"]["inputs"]["text"] == "changed here"


def test_reload_keeps_the_draft_and_what_it_made(studio: Studio) -> None:
    studio.quicken()
    studio.node("2").get_by_role("textbox", name="text").fill("kept over a reload")
    studio.run()
    expect(picture(studio)).to_have_attribute("src", re.compile("weft-"))
    source = picture(studio).get_attribute("src")
    studio.page.reload()
    expect(studio.node("2").get_by_role("textbox", name="text")).to_have_value("kept over a reload")
    expect(studio.badge("5")).to_have_text(re.compile("ran|cached"))
    expect(picture(studio)).to_have_attribute("src", str(source))


def test_a_draft_that_cannot_be_read_is_said_and_the_page_opens(studio: Studio) -> None:
    studio.page.add_init_script("sessionStorage.setItem('weft.session', '{\"current\": 7')")
    studio.page.reload()
    studio.node("5").wait_for()
    expect(studio.page.locator(".notice")).to_contain_text("could not be read")


def test_a_job_the_server_no_longer_knows_is_let_go(studio: Studio) -> None:
    sockets: list[str] = []
    studio.page.on("websocket", lambda socket: sockets.append(socket.url))
    studio.document()
    session = json.loads(studio.page.evaluate("sessionStorage.getItem('weft.session')"))
    session["tabs"][0]["job"] = "gone"
    studio.page.add_init_script(f"sessionStorage.setItem('weft.session', {json.dumps(json.dumps(session))})")
    with studio.page.expect_response(re.compile(r"/jobs/gone$")):
        studio.page.reload()
    studio.quicken()
    studio.run()
    expect(picture(studio)).to_be_visible()
    assert not [url for url in sockets if "job=gone" in url]


def test_a_dropped_picture_brings_its_workflow(studio: Studio) -> None:
    studio.quicken()
    studio.node("2").get_by_role("textbox", name="text").fill("words inside the picture")
    studio.run()
    expect(picture(studio)).to_have_attribute("src", re.compile("/files/"))
    source = picture(studio).get_attribute("src")
    assert source is not None
    with urlopen(studio.url.rstrip("/") + source) as answer:
        content = answer.read()
    studio.node("2").get_by_role("textbox", name="text").fill("other words")
    studio.drop(studio.page.locator(".panel"), "owl.png", "image/png", content)
    expect(studio.node("2").get_by_role("textbox", name="text")).to_have_value("words inside the picture")
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("owl")


def test_a_file_that_holds_no_workflow_changes_nothing(studio: Studio) -> None:
    before = studio.document()["nodes"]
    for name, kind, content, why in (
        ("a.json", "application/json", b"{nodes", "neither a workflow"),
        ("b.json", "application/json", b'{"nodes": {"1": {}}}', "has no"),
        ("c.png", "image/png", b"not a picture", "no workflow in it"),
        ("d.txt", "text/plain", b"", "neither a workflow"),
        ("e.json", "application/json", b'{"nodes": [{"id": 1}, {"id": 1}]}', "nodes with an id each"),
        ("g.json", "application/json", b'{"version": 99, "nodes": {}}', "version 99"),
    ):
        studio.drop(studio.page.locator(".panel"), name, kind, content)
        expect(studio.page.locator(".notice")).to_contain_text(f"{name} could not be opened: ")
        expect(studio.page.locator(".notice")).to_contain_text(why)
    assert studio.document()["nodes"] == before


def test_a_picture_dropped_on_a_loader_is_uploaded(studio: Studio) -> None:
    studio.page.locator(".canvas").dblclick(position={"x": 60, "y": 500})
    studio.page.keyboard.type("load image")
    studio.page.keyboard.press("Enter")
    studio.node("8").wait_for()
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
        "0000000c49444154789c63f8cfc000000301010018dd8db00000000049454e44ae426082"
    )
    studio.drop(studio.node("8"), "pixel.png", "image/png", pixel)
    thumbnail = studio.node("8").locator(".thumbnail")
    expect(thumbnail).to_have_js_property("naturalWidth", 1)
    assert "pixel" in str(studio.document()["nodes"]["8"]["inputs"]["image"])


def test_an_earlier_result_brings_its_workflow(studio: Studio) -> None:
    studio.quicken()
    prompt = studio.node("2").get_by_role("textbox", name="text")
    prompt.fill("the first of two")
    studio.run()
    prompt.fill("the second of two")
    studio.run()
    expect(studio.page.locator(".earlier .thumb").nth(1)).to_be_visible()
    studio.page.locator(".earlier .thumb").nth(1).click()
    studio.button("Open its workflow").click()
    expect(prompt).to_have_value("the first of two")


def test_names_from_strangers_are_text(studio: Studio) -> None:
    """Titles, kinds, ports, values and file names that look like markup or code are shown, never run."""
    workflow = {
        "version": 1,
        "nodes": {
            "1": {
                "type": HOSTILE,
                "title": HOSTILE,
                "inputs": {HOSTILE: HOSTILE, "__proto__": 1, "x": {"node": "2", "output": HOSTILE}},
            },
            "2": {"type": "CheckpointLoader", "title": HOSTILE, "inputs": {"checkpoint": HOSTILE}},
            '5"]': {"type": "LoadImage", "inputs": {"image": HOSTILE}},
            "constructor": {"type": "constructor", "inputs": {}},
        },
    }
    studio.page.evaluate(
        "addEventListener('securitypolicyviolation', event => { window.hurt = event.violatedDirective; })"
    )
    studio.drop(
        studio.page.locator(".panel"), f"{HOSTILE[:40]}.json", "application/json", json.dumps(workflow).encode()
    )
    expect(studio.node("1").locator(".node-title")).to_have_text(HOSTILE)
    studio.button("Run").click()
    expect(studio.page.get_by_role("region", name="Problems")).to_be_visible()
    assert studio.page.evaluate("window.hurt") is None
    assert studio.page.locator("script").count() == 2
    assert studio.page.locator(".node img[src=x]").count() == 0


def test_an_unknown_node_is_kept_as_it_came(studio: Studio) -> None:
    workflow = {
        "version": 1,
        "author": "someone",
        "nodes": {"1": {"type": "acme.Gone", "inputs": {"strength": 0.5}, "colour": "red"}},
        "view": {"nodes": {"1": {"x": 0, "y": 0, "folded": True}}, "zoom": 1},
    }
    studio.drop(studio.page.locator(".panel"), "old.json", "application/json", json.dumps(workflow).encode())
    expect(studio.node("1").locator(".node-title")).to_have_text("acme.Gone")
    assert studio.document() == workflow


def test_named_for_those_who_listen(studio: Studio) -> None:
    """Nodes, ports and inputs have names; the main commands are buttons."""
    page = studio.page
    expect(page.get_by_role("group", name=re.compile("^KSampler, "))).to_have_count(1)
    expect(page.get_by_role("spinbutton", name="steps")).to_have_count(1)
    expect(page.get_by_role("combobox", name="sampler")).to_have_count(1)
    expect(page.get_by_role("textbox", name="text")).to_have_count(2)
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea")]
            .filter(each => !each.hidden && !each.getAttribute("aria-label") && !each.labels?.length)
            .filter(each => !each.textContent.trim())
            .map(each => each.outerHTML)"""
    )
    assert nameless == []
    for name in ("Run", "Undo", "Redo", "Add node…", "Show everything", "Main commands"):
        expect(studio.button(name)).to_be_visible()


def test_the_page_says_calmly_that_the_engine_is_starting(browser: Browser, tmp_path: Path, models: Path) -> None:
    """Opened at once after the start of the server, the page can be used and comes to life by itself."""
    with serving(tmp_path / "data", models) as url:
        page = browser.new_page()
        studio = Studio(page, url)
        page.goto(url)
        expect(page.locator(".bar-status")).to_have_text("Engine is starting. You can edit meanwhile.")
        studio.node("2").wait_for()
        wait_until_ready(url)
        expect(page.locator(".bar-status")).to_have_text("")
        expect(studio.node("5").get_by_label("steps", exact=True)).to_have_value("28")
        expect(studio.port("5", "input", "latent")).to_have_class(LINKED)
        assert studio.complaints == []
        page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system(browser: Browser, server: str, scheme: str) -> None:
    context = browser.new_context(color_scheme="light" if scheme == "light" else "dark")
    page = context.new_page()
    Studio(page, server).open()
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(int(part) for part in re.findall(r"\d+", colour)[:3]) / 3
    assert brightness > 200 if scheme == "light" else brightness < 60
    context.close()


def test_a_full_disk_is_told(browser: Browser, server: str) -> None:
    context = browser.new_context()
    page = context.new_page()

    def full(socket: WebSocketRoute) -> None:
        socket.connect_to_server()
        socket.send(json.dumps([{"type": "disk", "state": "full"}]))

    page.route_web_socket(re.compile(r"/api/v1/events\?$"), full)
    page.goto(server)
    expect(page.locator(".notice")).to_contain_text("make room on its disk")
    context.close()
