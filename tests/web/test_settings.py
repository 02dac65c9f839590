"""Every setting does what it says; the page holds with larger text, zoom, few colours, high contrast and no motion."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.conftest import RUN_MS, Studio
from tests.web.newcomer import AXE, BARS, RULES

#: What lies outside of the window, or has text that is cut off, of what a person must reach.
CUT = """() => [...document.querySelectorAll(":is(.bar, .rail, .dialog, .panel-tabs) :is(button, select), .bar-status")]
    .filter(each => each.checkVisibility({ visibilityProperty: true }))
    .filter(each => {
        const { left, top, right, bottom } = each.getBoundingClientRect();
        return left < 0 || top < 0 || right > innerWidth + 1 || bottom > innerHeight + 1;
    })
    .map(each => each.outerHTML.slice(0, 120))"""


def choose(page: Page, label: str, option: str) -> None:
    page.keyboard.press("Control+,")
    page.get_by_role("combobox", name=label, exact=True).select_option(label=option)
    page.keyboard.press("Escape")


def switch(page: Page, label: str) -> None:
    page.keyboard.press("Control+,")
    page.get_by_label(label, exact=True).click()
    page.keyboard.press("Escape")


def height(locator: Locator) -> float:
    box = locator.bounding_box()
    assert box is not None
    return box["height"]


def bars(page: Page) -> list[str]:
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(BARS, RULES)


def test_theme_motion_and_language(studio: Studio) -> None:
    page = studio.page
    colour = """() => {
        const { color, backgroundColor, borderBottomColor } = getComputedStyle(document.querySelector(".bar"));
        return [color, backgroundColor, borderBottomColor].join();
    }"""
    seen = set()
    for theme in ("Light", "Dark", "High contrast"):
        choose(page, "Theme", theme)
        seen.add(page.evaluate(colour))
    assert len(seen) == 3
    choose(page, "Theme", "As the system")
    for motion, still in (("Full", False), ("Reduced", True)):
        choose(page, "Motion", motion)
        moves = page.evaluate("getComputedStyle(document.querySelector('.notice')).transitionDuration")
        assert (moves == "0s") == still
    page.keyboard.press("Control+,")
    page.get_by_role("combobox", name="Language", exact=True).select_option(label="简体中文")
    expect(page.get_by_role("button", name="运行", exact=True)).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    expect(studio.node("2").locator(".node-title")).to_have_text("提示词")


@pytest.mark.parametrize("percent", ["150 %", "200 %"])
def test_larger_text_is_larger_everywhere_and_stays_in_the_window(studio: Studio, percent: str) -> None:
    page = studio.page
    page.set_viewport_size({"width": 1440, "height": 900})
    before = height(studio.button("Run"))
    choose(page, "Size of text", percent)
    assert height(studio.button("Run")) / before == pytest.approx(int(percent[:3]) / 100, rel=0.02)
    page.keyboard.press("Control+,")
    dialog = page.get_by_role("dialog", name="Settings")
    expect(dialog).to_be_visible()
    assert page.evaluate(CUT) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.locator(".canvas").click(button="right", position={"x": 300, "y": 800})
    menu = page.get_by_role("menu", name="Commands").bounding_box()
    assert menu is not None
    assert menu["y"] + menu["height"] <= 900
    page.keyboard.press("Escape")
    choose(page, "Size of text", "100 %")
    assert height(studio.button("Run")) == before


def test_run_stays_in_a_small_window_with_large_text(studio: Studio) -> None:
    studio.page.set_viewport_size({"width": 900, "height": 600})
    usual = height(studio.page.locator(".bar"))
    choose(studio.page, "Size of text", "200 %")
    box = studio.page.get_by_role("button", name="How to run").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 900
    expect(studio.button("Run")).to_be_in_viewport(ratio=1)
    choose(studio.page, "Size of text", "100 %")
    assert height(studio.page.locator(".bar")) == usual == 48


def test_links_take_the_shape_that_was_chosen(studio: Studio) -> None:
    page = studio.page
    painted = set()
    for shape in ("Curved", "Straight", "Angled"):
        choose(page, "Links", shape)
        page.wait_for_timeout(200)
        painted.add(page.screenshot(clip={"x": 330, "y": 100, "width": 60, "height": 400}))
    assert len(painted) == 3


def test_nodes_snap_where_that_is_wanted(studio: Studio) -> None:
    def drop() -> tuple[int, int]:
        box = studio.node("4").bounding_box()
        assert box is not None
        studio.drag(studio.node("4").locator(".node-title"), box["x"] + 77, box["y"] + 123)
        studio.drag(studio.node("4").locator(".node-title"), box["x"] + 90, box["y"] + 141)
        place = studio.document()["view"]["nodes"]["4"]
        return int(str(place["x"])), int(str(place["y"]))

    switch(studio.page, "Snap to grid and neighbours")
    free = [drop() for _ in range(3)]
    assert any(x % 8 or y % 8 for x, y in free)
    switch(studio.page, "Snap to grid and neighbours")
    x, y = drop()
    assert x % 8 == 0 or y % 8 == 0


@pytest.mark.parametrize("wanted", [False, True], ids=["silent", "sound"])
def test_a_long_run_that_ends_unseen_sounds_where_that_is_wanted(studio: Studio, wanted: bool) -> None:
    page = studio.page
    if wanted:
        switch(page, "Sound when a long run ends")
    page.evaluate(
        """() => {
            window.notes = 0;
            const nothing = () => {};
            const ramps = ["setValueAtTime", "linearRampToValueAtTime", "exponentialRampToValueAtTime"];
            const param = () => Object.fromEntries(ramps.map(name => [name, nothing]));
            const start = () => { window.notes += 1; };
            const node = () => ({ frequency: param(), gain: param(), connect: to => to, start, stop: nothing });
            window.AudioContext = class {
                currentTime = 0;
                createOscillator = node;
                createGain = node;
                async close() {}
            };
            Object.defineProperty(document, "visibilityState", { get: () => "hidden" });
            const now = performance.now.bind(performance);
            performance.now = () => 1000 * now();
        }"""
    )
    studio.quicken()
    studio.button("Run").click()
    expect(page.locator(".bar-status")).to_contain_text("Done", timeout=RUN_MS)
    expect(page).to_have_title(re.compile("^●"))
    assert (page.evaluate("window.notes") > 0) == wanted


def test_the_page_holds_at_a_zoom_of_200_percent(browser: Browser, server: str) -> None:
    """A window of 1440 by 900 zoomed to 200 % has half as many pixels of its own, each twice as large."""
    context = browser.new_context(
        viewport={"width": 720, "height": 450}, device_scale_factor=2, reduced_motion="reduce"
    )
    context.set_default_timeout(20_000)
    studio = Studio(context.new_page(), server)
    page = studio.page
    page.goto(server)
    expect(studio.button("Run")).to_be_visible()

    def check() -> None:
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert page.evaluate(CUT) == []

    check()
    for keys in ("Control+,", "Control+k"):
        page.keyboard.press(keys)
        page.locator("dialog[open]").wait_for()
        assert page.evaluate("document.querySelector('dialog[open]').getBoundingClientRect().bottom - innerHeight") <= 0
        page.keyboard.press("Escape")
    assert bars(page) == []
    context.close()


LOOKS: dict[str, Callable[[Page], None]] = {
    "forced-colors": lambda page: page.emulate_media(forced_colors="active"),
    "contrast": lambda page: page.emulate_media(contrast="more"),
    "no-motion": lambda page: page.emulate_media(reduced_motion="reduce"),
}


@pytest.mark.parametrize("look", LOOKS)
def test_what_the_system_asks_for_is_heeded(studio: Studio, look: str) -> None:
    page = studio.page
    LOOKS[look](page)
    page.wait_for_timeout(100)
    chosen = page.evaluate("({ ...document.documentElement.dataset })")
    if look == "contrast":
        assert chosen["contrast"] == "more"
    if look == "no-motion":
        assert chosen["motion"] == "reduced"
    page.keyboard.press("Control+k")
    options = page.locator(".pick-list")
    option = options.get_by_role("option", selected=True)
    expect(option).to_be_visible()
    other = options.get_by_role("option", selected=False).first
    paint = """each => {
        const { backgroundColor, outlineStyle, outlineColor } = getComputedStyle(each);
        return [backgroundColor, outlineStyle, outlineColor].join();
    }"""
    assert option.evaluate(paint) != other.evaluate(paint), "the chosen one looks like the others"
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring != "none"
    assert bars(page) == []


def test_choices_outlive_a_reload_and_nonsense_is_not_read(studio: Studio) -> None:
    page = studio.page
    choose(page, "Links", "Straight")
    page.reload()
    studio.node("5").wait_for()
    page.keyboard.press("Control+,")
    expect(page.get_by_role("combobox", name="Links", exact=True)).to_have_value("straight")
    kept = json.loads(page.evaluate("localStorage.getItem('weft.settings')"))
    assert kept == {"links": "straight"}
    page.evaluate('localStorage.setItem(\'weft.settings\', \'{"textSize": "huge", "links": 7, "snap": null}\')')
    page.reload()
    studio.node("5").wait_for()
    assert studio.complaints == []


def test_settings_open_while_the_server_is_away(studio: Studio) -> None:
    studio.open().page.route("**/api/v1/extensions", lambda route: route.abort())
    studio.page.keyboard.press("Control+,")
    dialog = studio.page.get_by_role("dialog", name="Settings")
    expect(dialog).to_contain_text("The server could not be reached.")
    assert [each for each in studio.complaints if "ERR_FAILED" not in each] == []
