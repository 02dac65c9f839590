"""Whoever comes, however: by keyboard, on a phone, in Chinese, with a screen reader, with bad intentions."""

from __future__ import annotations

import io
import json
import re

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.web.conftest import Studio
from tests.web.newcomer import AXE, BARS, RESTS, RULES

HURT = "window.hurt = (window.hurt || 0) + 1"
HOSTILE = [
    f"<script>{HURT}</script>",
    f'<img src=x onerror="{HURT}">',
    f'<svg onload="{HURT}">',
    f'"><img src=x onerror="{HURT}">',
    f"' onmouseover='{HURT}' x='",
    f"javascript:{HURT}",
    f"data:text/html,<script>{HURT}</script>",
    f'<iframe srcdoc="<script>parent.{HURT}</script>"></iframe>',
    f"<style>*{{background:url('javascript:{HURT}')}}</style>",
    f'<a href="javascript:{HURT}">press</a>',
    f'<details open ontoggle="{HURT}">',
    f'<input autofocus onfocus="{HURT}">',
    f'<video><source onerror="{HURT}"></video>',
    f"<math><mtext></mtext><script>{HURT}</script></math>",
    f"</title><script>{HURT}</script>",
    f"</textarea><script>{HURT}</script>",
    f"<!--><script>{HURT}</script>",
    f"<![CDATA[<script>{HURT}</script>]]>",
    f"{{{{constructor.constructor('{HURT}')()}}}}",
    f"${{{HURT}}}",
    f"[press](javascript:{HURT})",
    f'![x](x"onerror="{HURT})',
    f"<b onclick={HURT}>bold</b>",
    "../../../../etc/passwd",
    "__proto__",
    "constructor",
    "prototype.polluted",
    "\u202egnp.exe",
    "\u0000\u0008\u001b[31m",
    "\u2028\u2029" + HURT,
    "a" * 5000,
    "%00%0a<script>",
    "&lt;script&gt;&#106;avascript:",
    "'; DROP TABLE jobs; --",
    "`${" + HURT + "}`",
    "\\u003cscript\\u003e",
    "expression(" + HURT + ")",
    "url(javascript:" + HURT + ")",
    "=cmd|' /C calc'!A0",
    "<object data='javascript:" + HURT + "'>",
    "<embed src='javascript:" + HURT + "'>",
    "<base href='https://example.org/'>",
    "<meta http-equiv=refresh content='0;url=javascript:" + HURT + "'>",
    "<link rel=stylesheet href='javascript:" + HURT + "'>",
    "<form action='javascript:" + HURT + "'><button>go</button></form>",
    "<template><script>" + HURT + "</script></template>",
    "<x-y contenteditable onblur=" + HURT + ">",
    "\ud83d\ude08<script>" + HURT + "</script>",
    "<marquee onstart=" + HURT + ">",
    "<isindex type=image src=1 onerror=" + HURT + ">",
]


def command(page: Page, name: str) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name=re.compile("Find a command|查找命令")).fill(name)
    page.keyboard.press("Enter")


def test_the_way_about_the_graph_by_keys_and_by_the_outline(studio: Studio) -> None:
    page = studio.page
    page.keyboard.press("Alt+ArrowRight")
    first = page.locator('.node[aria-current="true"]').get_attribute("data-node")
    page.keyboard.press("Alt+ArrowRight")
    assert page.locator('.node[aria-current="true"]').get_attribute("data-node") != first
    page.keyboard.press("Control+Shift+O")
    tree = page.get_by_role("tree", name="Outline")
    expect(tree.get_by_role("treeitem")).to_have_count(7)
    expect(tree.get_by_role("treeitem", name=re.compile("^KSampler"))).to_contain_text("model from Load checkpoint")
    tree.get_by_role("treeitem").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(studio.node("7")).to_have_attribute("aria-current", "true")
    page.keyboard.press("F1")
    expect(page.get_by_role("complementary", name="About the node")).to_contain_text("Save image")


def test_shortcuts_can_be_changed_and_clashes_are_told(studio: Studio) -> None:
    page = studio.page
    page.keyboard.press("?")
    expect(page.locator(".clash")).to_have_count(0)
    keys = page.get_by_role("button", name=re.compile("^Keys of Show everything"))
    row = page.get_by_role("row").filter(has=keys)
    keys.click()
    page.keyboard.press("Control+d")
    expect(row).to_contain_text("Also: Duplicate")
    keys.click()
    page.keyboard.press("Tab")
    expect(keys).not_to_be_focused()
    expect(row).to_contain_text("Also: Duplicate")
    keys.click()
    keys.click()
    keys.dispatch_event("keydown", {"key": "Process", "code": "KeyZ", "bubbles": True})
    page.keyboard.press("Shift+Z")
    page.keyboard.press("Escape")
    whole = str(page.locator(".nodes").get_attribute("style"))
    page.mouse.move(400, 700)
    page.mouse.wheel(0, -400)
    expect(page.locator(".nodes")).not_to_have_attribute("style", whole)
    page.locator(".canvas").focus()
    page.keyboard.press("Shift+Z")
    expect(page.locator(".nodes")).to_have_attribute("style", whole)
    page.reload()
    studio.node("5").wait_for()
    page.keyboard.press("?")
    page.get_by_role("button", name="Usual keys for all").click()
    expect(row).to_contain_text("Home")


@pytest.mark.parametrize("theme", ["light", "dark", "contrast"])
def test_nothing_serious_bars_the_way(studio: Studio, theme: str) -> None:
    """axe-core on the main screens, in each theme."""
    page = studio.page
    page.set_viewport_size({"width": 2200, "height": 1300})  # so that nodes are shown in full size
    page.evaluate("theme => localStorage.setItem('weft.settings', JSON.stringify({ theme }))", theme)
    page.reload()
    studio.node("5").wait_for()
    page.keyboard.press("Home")
    page.evaluate(AXE.read_text(encoding="utf-8"))

    def check(screen: str) -> None:
        page.evaluate(RESTS)
        told = page.evaluate(BARS, RULES)
        assert told == [], f"{screen}: {told}"

    check("graph")
    for keys in ("Control+k", "Control+,", "?"):
        page.keyboard.press(keys)
        page.locator("dialog[open]").wait_for()
        check(keys)
        page.keyboard.press("Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    page.keyboard.press("Control+o")
    page.get_by_role("button", name="Templates").first.click()
    page.locator(".template").first.wait_for()
    check("templates")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Shift+O")
    page.locator(".outline").wait_for()
    check("outline")
    command(page, "form or graph")
    page.locator(".form textarea").first.wait_for()
    check("form")


def test_the_tour_is_offered_once(studio: Studio) -> None:
    page = studio.page
    page.get_by_role("button", name="Take the tour").click()
    for step in range(1, 6):
        expect(page.get_by_role("dialog")).to_contain_text(f"{step} of 5")
        page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.reload()
    studio.node("5").wait_for()
    expect(page.get_by_role("button", name="Take the tour")).to_have_count(0)


def test_every_sentence_comes_from_a_table(browser: Browser, server: str) -> None:
    """With every sentence in brackets, no text of the page stands without, save names and values."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)

    def bracket(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        text = re.sub(r'^("[\w.-]+": ")(.*)(",)$', r"\1⟦\2⟧\3", answer.text(), flags=re.MULTILINE)
        headers = {name: value for name, value in answer.headers.items() if name != "content-encoding"}
        route.fulfill(status=200, headers=headers, body=text)  # type: ignore[attr-defined]

    context.route(re.compile(r"/strings/[\w/]+\.js"), bracket)
    page = context.new_page()
    studio = Studio(page, server).open()
    for keys in ("Control+o", "Control+Shift+O", "F1", "Control+k", "Control+,", "?"):
        page.keyboard.press(keys)
        page.wait_for_timeout(200)
        bare = page.evaluate(
            """() => {
                const data = ".node, .nodes, .crumbs, .outline strong, .help dt, .help dd, .help p, .help-title, kbd,"
                    + " option, .choice-item, .file-row, .files summary, script, noscript, .brand, .strip,"
                    + " .pick-item small";
                const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                const found = [];
                for (let at = walker.nextNode(); at; at = walker.nextNode()) {
                    const text = at.data.trim();
                    const host = at.parentElement;
                    const said = !/\\p{L}{2}/u.test(text) || text.includes("⟦") || host.closest(data);
                    if (!said && host.getClientRects().length > 0) found.push(text);
                }
                for (const each of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
                    if (each.closest(data)) continue;
                    for (const name of ["aria-label", "title", "placeholder"]) {
                        const text = each.getAttribute(name) ?? "";
                        if (/\\p{L}{2}/u.test(text) && !text.includes("⟦")) found.push(`${name}: ${text}`);
                    }
                }
                return found;
            }"""
        )
        assert bare == [], f"after {keys}: {bare}"
        if page.locator("dialog[open]").count():
            page.keyboard.press("Escape")
    assert studio.complaints == []
    context.close()


def test_fifty_hostile_texts_are_only_shown(studio: Studio) -> None:
    """In kinds, titles, values, notes, names of inputs and links, names of files, and what a picture carries."""
    assert len(HOSTILE) == 50
    nodes: dict[str, object] = {}
    for index, text in enumerate(HOSTILE):
        kind = ["CLIPTextEncode", "Note", text, "CheckpointLoader", "LoadImage"][index % 5]
        name = {"CLIPTextEncode": "text", "Note": "text", "CheckpointLoader": "checkpoint"}.get(kind, "image")
        nodes[str(index)] = {"type": kind, "title": text, "inputs": {name: text, text: {"node": text, "output": text}}}
    nodes["50"] = {"type": f"component:{HOSTILE[1]}", "inputs": {HOSTILE[2]: 1}}
    nodes["51"] = {"type": "GuidanceCurve", "inputs": {"points": HOSTILE[3]}, "sweep": {"points": HOSTILE[4]}}
    nodes["52"] = {"type": "SolidImage", "inputs": {"colour": HOSTILE[5]}, "after_run": {"seed": HOSTILE[6]}}
    inner = {"0": {"type": "Note", "title": HOSTILE[7], "inputs": {"text": HOSTILE[8]}}}
    component = {"nodes": inner, "inputs": [{"name": HOSTILE[2], "node": "0", "input": "text"}], "outputs": []}
    frames = {f"f{i}": {"x": i * 9, "y": 500, "w": 90, "h": 90, "title": text} for i, text in enumerate(HOSTILE)}
    places = {id: {"x": 60 * (int(id) % 9), "y": 60 * (int(id) // 9), "colour": HOSTILE[9]} for id in nodes}
    workflow = {
        "version": 1,
        "nodes": nodes,
        "components": {HOSTILE[1]: component, HOSTILE[24]: component},
        "interface": [{"name": HOSTILE[0], "node": "0", "input": "text"}],
        "files": {f"checkpoints/{text}": {"hash": text, "size": text} for text in HOSTILE},
        "view": {"nodes": places, "frames": frames},
    }
    page = studio.page
    page.evaluate("addEventListener('securitypolicyviolation', event => { window.hurt = event.violatedDirective; })")
    content = json.dumps(workflow).encode()
    studio.drop(page.locator(".panel"), f"{HOSTILE[1][:60]}.json", "application/json", content)
    expect(page.locator(".node")).to_have_count(len(nodes))
    page.keyboard.press("Control+a")
    for keys in ("Control+Shift+O", "F1", "Control+o"):
        page.keyboard.press(keys)
        page.wait_for_timeout(150)
    for text in HOSTILE[:8]:
        command(page, text)
        page.keyboard.press("Escape")
        name = page.get_by_label("Name of the workflow")
        name.fill(text[:90])
        name.press("Enter")
    studio.button("Run").click()
    expect(page.get_by_role("region", name="Problems")).to_be_visible()
    command(page, "form or graph")
    page.wait_for_timeout(200)
    page.evaluate("location.hash = 'workflow=' + encodeURIComponent('<img src=x onerror=window.hurt=1>')")
    expect(page.locator(".notice")).to_contain_text("could not be opened")
    assert page.evaluate("window.hurt") is None
    assert page.locator("script").count() == 2
    assert page.evaluate("Object.prototype.polluted") is None
    assert page.locator("img[src=x], iframe, object, embed, [onerror], [onload], base, style").count() == 0


def test_hostile_texts_in_what_was_made_are_only_shown(studio: Studio) -> None:
    """In the prompts that the gallery tells of, the words that tell two results apart, and the name of an upload."""
    page = studio.page
    page.evaluate("addEventListener('securitypolicyviolation', event => { window.hurt = event.violatedDirective; })")
    studio.quicken(1)
    for text in ("".join(HOSTILE[:12]), "\n".join(HOSTILE[12:24])):
        studio.node("2").get_by_label("text", exact=True).fill(text)
        studio.run()
    page.get_by_role("button", name="Gallery", exact=True).click()
    pictures = page.get_by_role("list", name="Gallery").get_by_role("button")
    pictures.nth(0).click(modifiers=["Shift"])
    expect(page.locator(".differences")).to_contain_text("<math>")
    pictures.nth(1).click(modifiers=["Shift"])
    studio.button("Compare").click()
    expect(page.get_by_role("dialog", name="Picture")).to_contain_text("<script>")
    page.keyboard.press("Escape")
    expect(page.locator(".differences li").first).to_contain_text("<script>")
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    for name in (HOSTILE[1], HOSTILE[3], HOSTILE[27], HOSTILE[38]):
        studio.drop(page.locator(".canvas"), f"{name[:60]}.png", "image/png", picture.getvalue())
        page.wait_for_timeout(150)
    assert page.evaluate("window.hurt") is None
    assert page.locator("img[src=x], iframe, object, embed, [onerror], [onload], base, style").count() == 0


def test_the_form_shows_what_holds_where_the_workflow_says_nothing(studio: Studio) -> None:
    nodes = {"5": {"type": "KSampler", "inputs": {}}}
    interface = [{"name": name, "node": "5", "input": name} for name in ("seed", "cfg", "sampler")]
    bare = {"version": 1, "nodes": nodes, "interface": interface}
    studio.drop(studio.page.locator(".panel"), "bare.json", "application/json", json.dumps(bare).encode())
    studio.node("5").wait_for()
    studio.page.keyboard.press("f")
    form = studio.page.get_by_role("region", name="Form")
    expect(form.get_by_role("spinbutton", name="seed")).to_have_value("0")
    expect(form.get_by_role("spinbutton", name="cfg", exact=True)).to_have_value("7")
    expect(form.get_by_role("combobox", name="sampler")).to_have_text("euler")


def test_a_phone_that_is_turned_keeps_its_form(browser: Browser, server: str) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page = phone.new_page()
    page.goto(server)
    words = page.locator(".form textarea").first
    words.fill("half a sent")
    page.set_viewport_size({"width": 844, "height": 390})
    expect(words).to_be_visible()
    expect(words).to_be_focused()
    expect(words).to_have_value("half a sent")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.close()
