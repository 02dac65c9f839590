"""A phone in the hand: what is pressed has room for a finger."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

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
