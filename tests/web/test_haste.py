"""What a hand does in haste: gestures that run into each other, keys amid a drag, presses while the view moves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests.web.conftest import Studio


@pytest.fixture
def measured(browser: Browser, server: str) -> Iterator[Studio]:
    """The page as a measuring script opens it, on a screen to be touched."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce", has_touch=True)
    context.set_default_timeout(20_000)
    yield Studio(context.new_page(), f"{server}?bench=1").open()
    context.close()


def head(studio: Studio, id: str) -> tuple[float, float]:
    box = studio.node(id).locator(".node-head").bounding_box()
    assert box is not None
    return box["x"] + 40, box["y"] + 18


def field(studio: Studio, name: str) -> tuple[float, float]:
    box = studio.node("5").get_by_label(name, exact=True).bounding_box()
    assert box is not None
    return box["x"] + 10, box["y"] + 10


def view(page: Page) -> dict[str, float]:
    return page.evaluate("window.__bench.getView()")


def stir(page: Page, at: tuple[float, float]) -> None:
    """Set the view moving with the pointer there, and leave it where it was."""
    page.mouse.move(*at)
    page.mouse.wheel(0, -60)
    page.mouse.wheel(0, 60)


def fingers(cdp: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    touches: list[Any] = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(points)]
    cdp.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def test_a_click_and_a_drag_soon_after_it_are_no_double_click(studio: Studio) -> None:
    mouse = studio.page.mouse
    for x, y in (head(studio, "5"), (400, 720)):
        mouse.move(x, y)
        mouse.click(x, y)
        mouse.down(click_count=2)
        mouse.move(x - 60, y + 30, steps=4)
        mouse.up(click_count=2)
    expect(studio.page.locator(".nodes.moving")).to_have_count(0)
    studio.page.wait_for_timeout(200)
    expect(studio.page.locator(".title-box")).to_have_count(0)
    expect(studio.page.get_by_role("combobox", name="Search nodes")).not_to_be_visible()
    mouse.dblclick(*head(studio, "5"))
    expect(studio.page.locator(".title-box")).to_be_visible()


def test_keys_in_the_middle_of_a_drag_do_no_more_than_take_it_back(measured: Studio) -> None:
    page = measured.page
    before = measured.document()["view"]["nodes"]
    for key in ("Control+z", "Delete", "Escape"):
        page.mouse.move(*head(measured, "5"))
        page.mouse.down()
        page.mouse.move(700, 400, steps=4)
        page.keyboard.press(key)
        page.mouse.move(*head(measured, "5"), steps=4)
        page.mouse.up()
    assert measured.document()["view"]["nodes"] == before
    grip = measured.node("5").locator(".node-grip").bounding_box()
    assert grip is not None
    page.mouse.move(grip["x"] + 6, grip["y"] + 6)
    page.mouse.down()
    page.mouse.move(grip["x"] + 60, grip["y"] + 60, steps=4)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert page.evaluate("window.__bench.editor.history.done") == 0
    assert measured.complaints == []


def test_a_number_that_is_scrubbed_is_taken_back_and_space_moves_the_view_instead(measured: Studio) -> None:
    page = measured.page
    steps = measured.node("5").get_by_label("steps", exact=True)
    before = steps.input_value()
    for key in ("Escape", "Control+z"):
        x, y = field(measured, "steps")
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 40, y, steps=4)
        assert steps.input_value() != before
        page.keyboard.press(key)
        page.mouse.move(x + 60, y, steps=2)
        page.mouse.up()
        assert steps.input_value() == before
    page.locator(".canvas").focus()
    page.keyboard.down("Space")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    page.mouse.up()
    page.keyboard.up("Space")
    expect(page.locator(".nodes.moving")).to_have_count(0)
    x, y = field(measured, "steps")
    page.mouse.move(x, y)
    page.mouse.move(x + 30, y, steps=3)
    assert steps.input_value() == before
    assert page.evaluate("window.__bench.editor.history.done") == 0


def test_controls_pressed_while_the_view_moves_do_as_ever(studio: Studio) -> None:
    page = studio.page
    steps = studio.node("5").get_by_label("steps", exact=True)
    stir(page, field(studio, "steps"))
    page.mouse.down()
    page.mouse.up()
    page.keyboard.type("30")
    page.keyboard.press("Enter")
    expect(steps).to_have_value("30")
    page.locator(".canvas").focus()
    x, y = field(studio, "steps")
    stir(page, (x, y))
    page.mouse.down()
    page.mouse.move(x + 40, y, steps=4)
    page.mouse.up()
    expect(steps).to_have_value("40")
    slider = studio.node("5").get_by_role("slider", name="cfg").bounding_box()
    assert slider is not None
    stir(page, (slider["x"] + 20, slider["y"] + slider["height"] / 2))
    page.mouse.down()
    page.mouse.move(slider["x"] + slider["width"] - 1, slider["y"] + 4, steps=3)
    page.mouse.up()
    most = studio.node("5").get_by_role("slider", name="cfg").get_attribute("max")
    expect(studio.node("5").get_by_label("cfg", exact=True)).to_have_value(most or "")
    studio.node("2").get_by_role("textbox").click()
    stir(page, head(studio, "5"))
    page.mouse.down()
    page.mouse.up()
    page.keyboard.press("Delete")
    expect(studio.node("5")).to_have_count(0)


def test_the_view_moves_on_as_it_is_moved(measured: Studio) -> None:
    page = measured.page
    page.mouse.move(400, 720)
    page.mouse.down(button="middle")
    page.mouse.move(440, 700, steps=2)
    page.mouse.wheel(0, -300)
    page.wait_for_timeout(100)
    zoomed = view(page)
    page.mouse.move(450, 700)
    page.mouse.up(button="middle")
    now = view(page)
    assert now["scale"] == zoomed["scale"] != 1
    assert now["x"] - zoomed["x"] == pytest.approx(10)
    expect(page.locator(".nodes.moving")).to_have_count(0)
    canvas = page.locator(".canvas").bounding_box()
    assert canvas is not None
    page.evaluate(
        "by => { const v = __bench.getView(); __bench.view.jump({ ...v, y: v.y + by }) }",
        canvas["y"] + 10 - head(measured, "5")[1],
    )
    x, y = head(measured, "5")
    still = view(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 1, y)
    page.wait_for_timeout(200)
    page.mouse.up()
    assert view(page) == still


def test_two_fingers_after_one(measured: Studio) -> None:
    page = measured.page
    cdp = page.context.new_cdp_session(page)
    steps = measured.node("5").get_by_label("steps", exact=True)
    before, (x, y) = steps.input_value(), field(measured, "steps")
    fingers(cdp, "touchStart", (x, y))
    fingers(cdp, "touchMove", (x + 40, y))
    fingers(cdp, "touchStart", (x + 40, y), (x, y + 200))
    fingers(cdp, "touchMove", (x + 80, y - 40), (x, y + 240))
    fingers(cdp, "touchEnd")
    assert steps.input_value() == before
    fingers(cdp, "touchStart", (300, 700))
    fingers(cdp, "touchMove", (340, 700))
    fingers(cdp, "touchMove", (360, 700))
    page.wait_for_timeout(60)
    panned = view(page)
    fingers(cdp, "touchStart", (360, 700), (500, 700))
    assert view(page) == panned
    fingers(cdp, "touchMove", (360, 700), (520, 700))
    cdp.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": [{"x": 360, "y": 700, "id": 0}]})
    page.wait_for_timeout(60)
    pinched = view(page)
    assert pinched["scale"] > panned["scale"]
    fingers(cdp, "touchMove", (360, 660))
    fingers(cdp, "touchMove", (360, 640))
    fingers(cdp, "touchEnd")
    page.wait_for_timeout(60)
    assert view(page)["y"] < pinched["y"]
    assert measured.complaints == []


def test_a_finger_held_still_opens_the_menu(measured: Studio) -> None:
    """Browsers of phones tell of it by a contextmenu event in the middle of the touch; this one is told to."""
    cdp = measured.page.context.new_cdp_session(measured.page)
    x, y = head(measured, "2")
    fingers(cdp, "touchStart", (x, y))
    measured.page.evaluate(
        """([clientX, clientY]) => {
            const told = { pointerType: "touch", clientX, clientY, bubbles: true, cancelable: true };
            document.elementFromPoint(clientX, clientY).dispatchEvent(new PointerEvent("contextmenu", told));
        }""",
        [x, y],
    )
    fingers(cdp, "touchEnd")
    expect(measured.page.get_by_role("menuitem", name="Duplicate")).to_be_visible()
    measured.page.wait_for_timeout(100)
    expect(measured.page.get_by_role("menuitem", name="Duplicate")).to_be_visible()


def test_once_a_copy_is_taken_back_keys_are_for_the_node_they_are_on(studio: Studio) -> None:
    page = studio.page
    studio.attended()
    head = studio.node("4").locator(".node-head").bounding_box()
    assert head is not None
    page.keyboard.down("Alt")
    studio.drag(studio.node("4").locator(".node-head"), head["x"] + 60, head["y"] + 220)
    page.keyboard.up("Alt")
    assert len(studio.document()["nodes"]) == 8
    page.keyboard.press("Control+z")
    expect(studio.node("4")).to_have_class(re.compile(r"\bselected\b"))
    page.keyboard.press("ArrowRight")
    assert studio.document()["view"]["nodes"]["4"] == {"x": 8, "y": 208}
