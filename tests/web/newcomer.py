"""A person who sees the page for the first time: in English or Chinese, at a desk or with a phone in the hand."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, CDPSession, Locator, Page, expect

from nodes import builtin
from tests.web.conftest import RUN_MS, Studio

ROOT = Path(__file__).parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    "preload": False,
}
#: What bars the way; the graph is as large as a person zooms it, so that sizes of targets are not told of it.
BARS = """async rules => {
    const { violations } = await axe.run(document, rules);
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return serious.flatMap(({ id, nodes }) => nodes
        .filter(({ target }) => id !== "target-size" || !document.querySelector(target[0])?.closest(".nodes"))
        .map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}"""
#: Done when all nodes that can be read have their elements, all pictures are there and all that faded in has.
RESTS = """async () => {
    const idle = () => new Promise(done => requestIdleCallback(done, { timeout: 200 }));
    const nodes = () => document.querySelectorAll(".node").length;
    let before = -1;
    while (before !== nodes()) {
        before = nodes();
        await idle();
    }
    await Promise.all([...document.images].map(image => image.loading === "lazy" || image.decode().catch(() => null)));
    const fading = document.getAnimations().filter(each => each.effect.getTiming().iterations !== Infinity);
    await Promise.all(fading.map(each => each.finished.catch(() => null)));
}"""
#: Where pictures of the ends of journeys go, when somebody wants to look at them.
PICTURES = os.environ.get("WEFT_SCREENSHOTS", "")
DESK = {"viewport": {"width": 1440, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
LOCALES = {"en": "en-GB", "zh": "zh-CN"}


@cache
def sentences(language: str) -> Mapping[str, str]:
    """All sentences of the page in a language."""
    table: dict[str, str] = {}
    for path in (ROOT / "web/strings" / language).rglob("*.js"):
        body = re.search(r"export const \w+ = (\{.*\});", path.read_text("utf-8"), re.DOTALL)
        if body:
            table |= json.loads(re.sub(r",\s*\}$", "}", body[1]))
    return table


@dataclass
class Newcomer(Studio):
    """What a person does who reads `language` and has a phone, or a desk with mouse and keyboard."""

    language: str = "en"
    phone: bool = False

    def say(self, key: str, **values: str) -> str:
        """A sentence of the page, as this person reads it."""
        return re.sub(r"\{(\w+)\}", lambda name: values[name[1]], sentences(self.language)[key])

    def kind(self, id: str) -> str:
        """What a kind of node is called."""
        return sentences(self.language).get(f"title.{id}") or next(spec.title for spec in builtin() if spec.id == id)

    def name(self, port: str) -> str:
        """What an input or output is called."""
        return sentences(self.language).get(f"port.{port}", port.replace("_", " "))

    def arrive(self) -> Newcomer:
        self.page.goto(self.url)
        expect(self.page.locator(".form textarea" if self.phone else ".node").first).to_be_visible()
        return self

    def press(self, target: Locator) -> None:
        """With the finger or the mouse."""
        (target.tap if self.phone else target.click)()

    def press_button(self, key: str, **values: str) -> None:
        self.press(
            self.page.get_by_role("button", name=self.say(key, **values), exact=True).locator("visible=true").first
        )

    def menu(self, key: str) -> None:
        """A command of the main menu."""
        self.press_button("bar.main")
        words = self.page.get_by_text(self.say(key), exact=True)
        self.press(self.page.get_by_role("menuitem").filter(has=words))

    def command(self, key: str) -> None:
        """A command by its name, from the list of all."""
        if self.phone:
            self.menu("action.palette")
        else:
            self.page.keyboard.press("Control+k")
        self.page.get_by_role("combobox", name=self.say("palette.find")).fill(self.say(key))
        self.page.keyboard.press("Enter")

    def choose(self, words: str) -> None:
        """The first of what is offered that begins with these words."""
        option = self.page.get_by_role("option").filter(has_text=re.compile("^" + re.escape(words))).first
        option.scroll_into_view_if_needed()
        self.press(option)
        expect(self.page.locator("dialog[open]")).to_have_count(0)

    def link(self, port: str, end: str) -> None:
        """Link a port of the selected node by commands."""
        self.command("action.connect")
        for prompt, words in (("connect.findPort", port), ("connect.findEnd", end)):
            self.page.get_by_role("combobox", name=self.say(prompt)).fill(words)
            self.page.keyboard.press("Enter")
        expect(self.page.locator("dialog[open]")).to_have_count(0)

    def show(self, id: str) -> None:
        """On a phone the graph is too small to read: the outline leads to a node."""
        if not self.phone:
            return
        self.press_button("outline.title")
        self.press(self.page.locator(f'[data-outline="{id}"]'))
        self.press_button("dock.close", title=self.say("outline.title"))
        expect(self.node(id)).to_be_visible()

    def field(self, id: str, port: str) -> Locator:
        return self.node(id).get_by_label(self.name(port), exact=True)

    def rest(self) -> None:
        """Wait until the view stands."""
        expect(self.page.locator("dialog[open], .nodes.moving")).to_have_count(0)
        self.page.evaluate(RESTS)

    def run(self) -> None:
        # A tap is a click only some time later; until then the run before is the one that has ended.
        jobs = f"{self.url}api/v1/jobs"
        with self.page.expect_response(lambda got: got.request.method == "POST" and got.url == jobs) as answer:
            self.press_button("action.run")
        self.wait_for_end()
        # That it is done is told before what it made is asked for; until then the picture is that of the run before.
        made = self.page.request.get(f"{jobs}/{answer.value.json()['id']}").json()["outputs"]
        urls = [re.escape(file["url"]) for files in made.values() for file in files]
        expect(self.page.locator("img.stage-picture")).to_have_attribute("src", re.compile("|".join(urls)))

    def wait_for_end(self) -> None:
        done = self.say("job.done", duration="")
        expect(self.page.locator(".bar-status")).to_have_text(re.compile("^" + re.escape(done)), timeout=RUN_MS)
        expect(self.page.locator("img.stage-picture")).to_be_visible()

    def picture(self) -> str:
        """Where the picture that is shown comes from."""
        return str(self.page.locator("img.stage-picture").get_attribute("src"))

    def end(self, journey: str) -> None:
        """Nothing complained, nothing serious bars the way of people with other eyes or hands, nothing is cut off."""
        self.page.evaluate(RESTS)
        if PICTURES:
            name = f"{journey}-{'phone' if self.phone else 'desk'}-{self.language}.png"
            self.page.screenshot(path=str(Path(PICTURES) / name))
        assert self.complaints == []
        assert self.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        bar = self.page.locator(".bar").evaluate("bar => [bar.scrollWidth, bar.clientWidth]")
        assert bar[0] <= bar[1]
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        told = self.page.evaluate(BARS, RULES)
        assert not told, "\n".join(told)


class Finger:
    """A finger on the glass: touches as the browser gets them from a screen."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._session: CDPSession = page.context.new_cdp_session(page)

    def drag(self, start: Locator, x: float, y: float) -> None:
        box = start.bounding_box()
        assert box is not None
        at = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self._touch("touchStart", *at)
        for part in (0.3, 0.6, 1.0):
            self._touch("touchMove", at[0] + (x - at[0]) * part, at[1] + (y - at[1]) * part)
            self._page.wait_for_timeout(50)
        self._session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    def _touch(self, kind: str, x: float, y: float) -> None:
        self._session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})


def at_home(browser: Browser, language: str, phone: bool) -> BrowserContext:
    """A browser that was never here."""
    theme = "dark" if (language == "zh") != phone else "light"
    context = browser.new_context(
        locale=LOCALES[language], color_scheme=theme, reduced_motion="reduce", **(PHONE if phone else DESK)
    )
    context.set_default_timeout(10_000)
    return context
