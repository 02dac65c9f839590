"""A phone in the hand: what is pressed has room for a finger."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, expect

from tests.web.conftest import Studio
from tests.web.newcomer import PHONE

#: What can be pressed and is smaller than a finger.
SMALL = """least => [...document.querySelectorAll("button, select, summary, input, textarea, [role=menuitem]")]
    .filter(each => each.checkVisibility() && !each.matches(".seed-mode") && !each.closest(".node"))
    .map(each => [each.ariaLabel || each.textContent, each.getBoundingClientRect()])
    .filter(([, { width, height }]) => width > 0 && Math.min(width, height) < least)
    .map(([name, { width, height }]) => `${name}: ${width} x ${height}`)"""
FINGER = 44


def test_what_is_pressed_has_room_for_a_finger(browser: Browser, server: str) -> None:
    context = browser.new_context(**PHONE)
    page = context.new_page()
    with page.expect_response(lambda answer: answer.url.endswith("/style/later.css")):
        page.goto(server)
    expect(page.locator(".panel-tabs .button").first).to_have_css("min-height", f"{FINGER}px")
    assert page.evaluate(SMALL, FINGER) == []
    page.get_by_role("button", name="Main commands").tap()
    menu = page.get_by_role("menu", name="Main commands")
    expect(menu).to_be_visible()
    assert page.evaluate(SMALL, FINGER) == []
    assert menu.evaluate("menu => menu.getBoundingClientRect().bottom <= innerHeight")
    page.get_by_role("menuitem", name="Workflows").tap()
    expect(page.get_by_label("Find a workflow")).to_be_visible()
    assert page.evaluate(SMALL, FINGER) == []
    context.close()


def test_a_long_list_is_swiped_without_choosing(browser: Browser, server: str) -> None:
    """A finger that goes up over the options moves them; one that stays chooses."""
    context = browser.new_context(**PHONE)
    page = context.new_page()
    studio = Studio(page, server)
    page.goto(server)
    form = page.get_by_role("region", name="Form")
    expect(form).to_be_visible()
    workflow = {
        "version": 1,
        "nodes": {"5": {"type": "KSampler", "inputs": {"sampler": "euler"}}},
        "interface": [{"name": "sampler", "node": "5", "input": "sampler"}],
    }
    studio.drop(form, "one.json", "application/json", json.dumps(workflow).encode())
    sampler = form.get_by_role("combobox", name="sampler")
    sampler.tap()
    options = page.get_by_role("listbox")
    box = options.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] - 20
    client = context.new_cdp_session(page)
    swipe = {"x": x, "y": y, "yDistance": 20 - box["height"], "gestureSourceType": "touch", "speed": 800}
    client.send("Input.synthesizeScrollGesture", swipe)
    expect(options).to_be_visible()
    first = options.get_by_role("option").first.bounding_box()
    assert first is not None
    assert first["height"] >= FINGER
    assert options.evaluate("list => list.scrollTop") > 0
    expect(sampler).to_have_text("euler")
    page.get_by_role("option", name="uni_pc", exact=True).tap()
    expect(options).to_have_count(0)
    expect(sampler).to_have_text("uni_pc")
    context.close()
