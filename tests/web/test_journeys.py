"""What a newcomer does, from the first minute on: each way in English and in Chinese, at a desk and on a phone."""

from __future__ import annotations

import io
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, expect
from safetensors.torch import load_file, save_file

from tests import browser as finder
from tests.web.conftest import DEMO, FLAGS
from tests.web.newcomer import DESK, LOCALES, PHONE, Finger, Newcomer, at_home

OTHER = "weft-other.safetensors"
WAYS = [(language, phone) for language in ("en", "zh") for phone in (False, True)]
NAMES = [f"{language}-{'phone' if phone else 'desk'}" for language, phone in WAYS]


@pytest.fixture(params=WAYS, ids=NAMES)
def newcomer(request: pytest.FixtureRequest, browser: Browser, server: str) -> Iterator[Newcomer]:
    language, phone = request.param
    context = at_home(browser, language, phone)
    yield Newcomer(context.new_page(), server, language=language, phone=phone).arrive()
    context.close()


@pytest.fixture(scope="module")
def other_model(models: Path) -> Iterator[str]:
    """A second model of the kind of the first, that paints otherwise."""
    first = DEMO if DEMO.exists() else models / "checkpoints" / DEMO.name
    weights = load_file(first)
    for name in [name for name in weights if "final_layer.linear" in name]:
        weights[name] = weights[name] * 0.6
    path = models / "checkpoints" / OTHER
    path.parent.mkdir(exist_ok=True)
    save_file(weights, path)
    yield OTHER
    path.unlink()


def to_graph(person: Newcomer) -> None:
    """A phone begins with the form."""
    if person.phone:
        person.press_button("form.graph")


def to_form(person: Newcomer) -> None:
    if person.phone:
        person.press_button("action.form")


def whole(person: Newcomer) -> None:
    person.command("action.fit")
    person.rest()


def quicken(person: Newcomer, steps: int = 2) -> None:
    person.show("5")
    box = person.field("5", "steps")
    box.fill(str(steps))
    box.press("Tab")


def blue_square() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (128, 128), (40, 90, 200)).save(file, "PNG")
    return file.getvalue()


def links(person: Newcomer) -> tuple[int, int]:
    nodes = person.document()["nodes"]
    return len(nodes), sum(isinstance(value, dict) for node in nodes.values() for value in node["inputs"].values())


def test_a_first_picture(newcomer: Newcomer) -> None:
    newcomer.run()
    newcomer.end("first-picture")


def test_text_to_image_from_an_empty_canvas_by_keyboard_alone(newcomer: Newcomer) -> None:
    person, page = newcomer, newcomer.page

    def press_command(key: str) -> None:
        page.keyboard.press("Control+k")
        page.get_by_role("combobox", name=person.say("palette.find")).wait_for()
        page.keyboard.insert_text(person.say(key))
        page.keyboard.press("Enter")

    def add(kind: str) -> None:
        press_command("action.addNode")
        search = page.get_by_role("combobox", name=person.say("search.placeholder"))
        search.wait_for()
        page.keyboard.insert_text(person.kind(kind))
        page.keyboard.press("Enter")
        search.wait_for(state="hidden")

    def connect(port: str, end: str) -> None:
        press_command("action.connect")
        for prompt, words in (("connect.findPort", port), ("connect.findEnd", end)):
            page.get_by_role("combobox", name=person.say(prompt)).wait_for()
            page.keyboard.insert_text(words)
            page.keyboard.press("Enter")
        expect(page.locator("dialog[open]")).to_have_count(0)

    loader, sampler, decoder = (person.kind(kind) for kind in ("CheckpointLoader", "KSampler", "VAEDecode"))
    if person.phone:
        press_command("action.form")
    press_command("action.new")
    expect(page.locator(".node")).to_have_count(0)
    add("CheckpointLoader")
    add("EmptyLatent")
    for _ in ("width", "height"):
        page.keyboard.press("Tab")
        page.keyboard.press("Control+a")
        page.keyboard.type("128")
    add("CLIPTextEncode")
    connect("clip", f"{loader} CLIP")
    page.keyboard.press("Tab")
    page.keyboard.type("an owl face on green background")
    press_command("action.duplicate")
    add("KSampler")
    connect(person.name("model"), f"{loader} {person.name('model')}")
    connect(person.name("positive"), person.name("conditioning"))
    connect(person.name("negative"), person.name("conditioning"))
    connect(f"{person.name('latent')} {person.say('connect.input', type='')[:2]}", person.kind("EmptyLatent"))
    add("VAEDecode")
    connect(person.name("latent"), f"{sampler} {person.name('latent')}")
    connect("vae", f"{loader} vae")
    add("SaveImage")
    connect(person.name("image"), decoder)
    assert links(person) == (7, 9)
    assert {"width": 128, "height": 128}.items() <= person.document()["nodes"]["2"]["inputs"].items()
    page.keyboard.press("Control+Enter")
    person.wait_for_end()
    person.end("keyboard")


def test_text_to_image_from_an_empty_canvas_by_pointer_alone(newcomer: Newcomer) -> None:
    """Nodes come from the library or from links that are dropped on empty canvas; links are drawn port to port."""
    person, page = newcomer, newcomer.page
    person.menu("action.new")
    to_graph(person)
    expect(page.locator(".node")).to_have_count(0)
    if person.phone:
        build_by_finger(person)
    else:
        build_by_mouse(person)
    assert links(person) == (6, 8)
    whole(person)
    person.end("pointer")


def build_by_mouse(person: Newcomer) -> None:
    def drag_out(port: Locator, x: float, y: float, kind: str) -> None:
        person.drag(port, x, y)
        person.choose(person.kind(kind))
        person.press_button("action.fit")
        person.rest()

    person.page.locator(".canvas").dblclick(position={"x": 120, "y": 120})
    person.choose(person.kind("CheckpointLoader"))
    person.page.locator(".node").wait_for()
    drag_out(person.port("1", "output", "clip"), 150, 700, "CLIPTextEncode")
    drag_out(person.port("2", "output", "conditioning"), 900, 120, "KSampler")
    person.drag_to(person.port("1", "output", "model"), person.port("3", "input", "model"))
    person.drag_to(person.port("2", "output", "conditioning"), person.port("3", "input", "negative"))
    drag_out(person.port("3", "input", "latent"), 900, 860, "EmptyLatent")
    drag_out(person.port("3", "output", "latent"), 70, 860, "VAEDecode")
    person.drag_to(person.port("1", "output", "vae"), person.port("5", "input", "vae"))
    drag_out(person.port("5", "output", "image"), 70, 80, "PreviewImage")


def build_by_finger(person: Newcomer) -> None:
    page, finger = person.page, Finger(person.page)

    def add(kind: str) -> None:
        person.press_button("library.title")
        panel = page.get_by_role("complementary", name=person.say("library.title"))
        panel.get_by_label(person.say("library.filter")).fill(person.kind(kind))
        person.press(panel.get_by_role("button", name=person.kind(kind), exact=True).first)
        person.press_button("dock.close", title=person.say("library.title"))

    add("CheckpointLoader")
    node = page.locator(".node")
    node.wait_for()
    finger.drag(person.port("1", "output", "clip"), 200, 430)
    person.choose(person.kind("CLIPTextEncode"))
    add("KSampler")
    person.link(person.name("model"), person.kind("CheckpointLoader"))
    person.link(person.name("positive"), person.kind("CLIPTextEncode"))
    person.link(person.name("negative"), person.kind("CLIPTextEncode"))
    add("EmptyLatent")
    person.link(person.name("latent"), person.kind("KSampler"))
    add("VAEDecode")
    person.link(person.name("latent"), person.kind("KSampler"))
    person.link("VAE", person.kind("CheckpointLoader"))
    add("PreviewImage")
    person.link(person.name("image"), person.kind("VAEDecode"))


def test_an_image_to_image_with_a_picture_of_ones_own(newcomer: Newcomer) -> None:
    """At a desk the picture is dropped and linked; on a phone it is chosen in the form of a template."""
    person, page = newcomer, newcomer.page
    to_graph(person)
    quicken(person)
    if person.phone:
        person.press_button("library.title")
        panel = page.get_by_role("complementary", name=person.say("library.title"))
        panel.get_by_label(person.say("library.filter")).fill(person.kind("LoadImage"))
        person.press(panel.get_by_role("button", name=person.kind("LoadImage"), exact=True).first)
        person.press_button("dock.close", title=person.say("library.title"))
        page.locator(".node input[type=file]").first.set_input_files(
            {"name": "blue.png", "mimeType": "image/png", "buffer": blue_square()}
        )
    else:
        person.drop(page.locator(".canvas"), "blue.png", "image/png", blue_square())
    loader = page.locator(".node").filter(has_text=person.kind("LoadImage")).first
    loader.wait_for()
    expect(loader.locator("img.thumbnail")).to_be_visible()
    person.command("action.connect")
    page.get_by_role("combobox", name=person.say("connect.findPort")).fill(person.name("image"))
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name=person.say("connect.findEnd")).fill(person.say("action.addNode"))
    page.keyboard.press("Enter")
    page.get_by_role("combobox", name=person.say("search.placeholder")).fill(person.kind("VAEEncode"))
    page.keyboard.press("Enter")
    expect(page.locator("dialog[open]")).to_have_count(0)
    person.link("VAE", person.kind("CheckpointLoader"))
    person.link(person.name("latent"), person.kind("KSampler"))
    whole(person)
    nodes = person.document()["nodes"]
    encode = next(id for id, node in nodes.items() if str(node["type"]) == "VAEEncode")
    assert nodes["5"]["inputs"]["latent"] == {"node": encode, "output": "latent"}
    to_form(person)
    person.run()
    person.end("image-to-image")


def test_two_models_are_merged_and_the_ratio_moved(newcomer: Newcomer, other_model: str) -> None:
    person, page = newcomer, newcomer.page
    person.menu("action.templates")
    title = person.say("template.merge")
    page.get_by_label(person.say("templates.find")).fill(title)
    person.press(page.get_by_role("button", name=re.compile("^" + re.escape(title) + r"\b|^" + title)).first)
    expect(page.get_by_label(person.say("bar.name"))).to_have_value(title)
    to_graph(person)
    person.show("2")
    box = person.field("2", "checkpoint")
    box.scroll_into_view_if_needed()
    person.press(box)
    person.press(page.get_by_role("option").filter(has_text=other_model))
    to_form(person)
    where = page.locator(".form") if person.phone else person.node("3")
    ratio = where.get_by_label(person.name("ratio"), exact=True)
    pictures = []
    for value in ("0", "1"):
        ratio.fill(value)
        ratio.press("Enter")
        person.run()
        pictures.append(page.request.get(person.url + person.picture().lstrip("/")).body())
    assert pictures[0] != pictures[1]
    person.end("merge")


def test_a_sweep_of_seeds(newcomer: Newcomer) -> None:
    person, page = newcomer, newcomer.page
    to_graph(person)
    quicken(person)
    to_form(person)
    where = page.locator(".form") if person.phone else person.node("5")
    label = f"{person.kind('KSampler')} · {person.name('seed')}" if person.phone else person.name("seed")
    seed = where.get_by_label(label, exact=True)
    seed.fill("1..3")
    seed.press("Enter")
    expect(where.get_by_label(person.say("sweep.label", label=label))).to_have_value("1..3")
    person.run()
    strip = page.get_by_role("group", name=person.say("result.many")).get_by_role("button")
    expect(strip).to_have_count(4)
    person.end("sweep")


def test_a_component_is_made_opened_left_and_run(newcomer: Newcomer) -> None:
    person, page = newcomer, newcomer.page
    to_graph(person)
    quicken(person)
    if person.phone:
        person.command("action.selectAll")
    else:
        for id in ("5", "6"):
            person.node(id).locator(".node-head").click(modifiers=["Control"] if id == "6" else [])
    person.command("action.component")
    whole(person)
    person.node("8").wait_for()
    person.command("action.enter")
    crumbs = page.get_by_role("navigation", name=person.say("component.crumbs"))
    expect(crumbs).to_contain_text(person.say("component.name"))
    if not person.phone:
        expect(person.node("5")).to_be_visible()
    person.press(crumbs.get_by_role("button", name=person.say("component.root")))
    expect(person.node("8")).to_be_visible()
    person.run()
    person.end("component")


@pytest.mark.parametrize(("language", "phone"), WAYS, ids=NAMES)
def test_work_is_offered_again_after_the_browser_was_killed(
    browser: Browser, server: str, tmp_path: Path, language: str, phone: bool
) -> None:
    """The process is killed, the profile stays: started again, the browser is offered what was not saved."""
    words = "nearly lost"
    kind = browser.browser_type
    profile = tmp_path / "profile"
    look = {"locale": LOCALES[language], "reduced_motion": "reduce", **(PHONE if phone else DESK)}

    def start() -> tuple[BrowserContext, Newcomer]:
        context = kind.launch_persistent_context(str(profile), executable_path=finder.find(), args=list(FLAGS), **look)
        context.set_default_timeout(20_000)
        page = context.pages[0]
        return context, Newcomer(page, server, language=language, phone=phone)

    _, person = start()
    person.arrive()
    name = save_as(person, "killed")
    with person.page.expect_response(lambda answer: "/draft" in answer.url and answer.request.method == "PUT"):
        prompt_of(person).fill(words)
    os.kill(main_process(profile), signal.SIGKILL)
    context, person = start()
    person.page.goto(server)
    person.press_button("recover.openOf", name=name)
    expect(prompt_of(person)).to_have_value(words)
    person.end("killed")
    context.close()


def main_process(profile: Path) -> int:
    """The browser's own process, not those of its pages."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--user-data-dir={profile}".encode() in command and not any(
            each.startswith(b"--type=") for each in command
        ):
            return int(path.parent.name)
    raise AssertionError(f"no browser runs on {profile}")


def test_two_tabs_on_one_workflow(newcomer: Newcomer) -> None:
    """Who saves second is asked, sees where both changed the same, and loses nothing."""
    person, page = newcomer, newcomer.page
    name = save_as(person, "shared")
    other = Newcomer(page.context.new_page(), person.url, language=person.language, phone=person.phone)
    other.page.goto(f"{person.url}#workflow={name}")
    expect(other.page.get_by_label(person.say("bar.name"))).to_have_value(name)
    for each, text in ((other, "theirs"), (person, "mine")):
        each.page.bring_to_front()
        prompt_of(each).fill(text)
        each.menu("action.save")
    dialog = page.get_by_role("dialog")
    person.press(dialog.get_by_text(person.say("conflict.theirs", value="theirs")))
    person.end("two-tabs")
    person.press(dialog.get_by_role("button", name=person.say("conflict.merge")))
    expect(dialog).to_have_count(0)
    expect(prompt_of(person)).to_have_value("theirs")
    assert other.complaints == []


def save_as(person: Newcomer, name: str) -> str:
    name = f"{name}-{person.language}-{'phone' if person.phone else 'desk'}"
    person.menu("action.saveAs")
    person.page.get_by_label(person.say("save.name"), exact=True).fill(name)
    person.page.keyboard.press("Enter")
    expect(person.page.locator(".notice")).to_contain_text(name)
    expect(person.page.locator("dialog.dialog")).to_have_count(0)
    return name


def prompt_of(person: Newcomer) -> Locator:
    return (person.page.locator(".form textarea") if person.phone else person.node("2").locator("textarea")).first
