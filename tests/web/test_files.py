"""Workflows as files: tabs, folders, versions, what outlives the browser, and two windows on one workflow."""

from __future__ import annotations

import io
import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.web.conftest import RUN_MS, Studio

DROP_LINK = """(element, address) => {
    const data = new DataTransfer();
    data.setData("text/uri-list", address);
    return element.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
}"""
"""Drop a link; whether the browser is to do with it what it does with links."""

EDITS = [
    "Control+d",
    "Delete",
    "Shift+Delete",
    "Control+m",
    "Control+b",
    "Alt+c",
    "p",
    "ArrowDown",
    "Shift+ArrowRight",
    "Shift+a",
]


def prompt(studio: Studio) -> Locator:
    return studio.node("2").get_by_role("textbox", name="text")


def save_as(studio: Studio, name: str) -> None:
    studio.page.keyboard.press("Control+Shift+s")
    studio.page.get_by_label("Name", exact=True).fill(name)
    studio.page.keyboard.press("Enter")
    expect(studio.page.locator(".notice")).to_contain_text(f"Saved {name}")
    # Until it is gone, a closed dialog holds the focus, and keys with it.
    expect(studio.page.locator("dialog.dialog")).to_have_count(0)


def saved(studio: Studio, name: str) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    with urlopen(f"{studio.url}api/v1/workflows/{quote(name, safe='')}") as answer:
        return json.load(answer)


def drafts(studio: Studio) -> list[dict[str, str]]:
    with urlopen(f"{studio.url}api/v1/workflows") as answer:
        return json.load(answer)["drafts"]


def drafted(studio: Studio, name: str) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    with urlopen(f"{studio.url}api/v1/workflows/{quote(name, safe='')}/draft") as answer:
        return json.load(answer)


@contextmanager
def window(browser: Browser, url: str) -> Iterator[Studio]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield Studio(context.new_page(), url).open()
    context.close()


def wait_for_draft(page: Page) -> None:
    with page.expect_response(lambda answer: "/draft" in answer.url and answer.request.method == "PUT") as answer:
        pass
    assert answer.value.ok


def test_the_current_of_many_tabs_is_in_view(studio: Studio) -> None:
    for count in range(1, 21):
        studio.page.keyboard.press("Alt+N")
        studio.page.evaluate(
            """() => {
                const data = new DataTransfer();
                data.setData("text/plain", "words");
                document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
            }"""
        )
        expect(studio.page.locator('[role="tab"]')).to_have_count(count)
        expect(studio.node("1").locator(".node-title")).to_have_text("Note")
    current = studio.page.get_by_role("tab", selected=True)
    expect(current).to_be_in_viewport(ratio=1)
    studio.page.keyboard.press("Alt+PageDown")
    expect(studio.page.get_by_role("tab").first).to_have_attribute("aria-selected", "true")
    expect(current).to_be_in_viewport(ratio=1)
    studio.page.reload()
    studio.page.keyboard.press("Alt+PageUp")
    expect(current).to_be_in_viewport(ratio=1)


def test_workflows_open_beside_each_other_with_their_own_undo(studio: Studio) -> None:
    prompt(studio).fill("of the first")
    save_as(studio, "tabs/first")
    studio.page.keyboard.press("Escape")
    studio.page.evaluate("location.hash = 'template=merge'")
    studio.page.get_by_role("tab", name="Merge two models").wait_for()
    expect(studio.page.get_by_role("tab")).to_have_count(2)
    studio.page.get_by_role("tab", name="tabs/first").click()
    expect(prompt(studio)).to_have_value("of the first")
    studio.button("Undo").click()
    expect(prompt(studio)).not_to_have_value("of the first")
    expect(studio.page.get_by_role("tab", name="tabs/first, not saved")).to_be_visible()
    studio.page.get_by_role("button", name="Close tabs/first").click()
    studio.page.get_by_role("button", name="Discard changes").click()
    expect(studio.page.get_by_role("tablist")).to_be_hidden()
    expect(studio.page.get_by_label("Name of the workflow")).to_have_value("Merge two models")


def test_files_lie_in_folders_are_renamed_and_come_back_from_the_trash(studio: Studio) -> None:
    page = studio.page
    save_as(studio, "birds/owl")
    page.keyboard.press("Control+o")
    page.locator(".files summary", has_text="birds").click()
    page.get_by_role("button", name="More for birds/owl").click()
    page.get_by_role("menuitem", name="Rename or move…").click()
    page.get_by_label("Name", exact=True).fill("birds/night/owl")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name of the workflow")).to_have_value("birds/night/owl")
    page.get_by_label("Find a workflow").fill("night")
    page.get_by_role("button", name="More for birds/night/owl").click()
    page.get_by_role("menuitem", name="Delete").click()
    expect(page.locator(".notice")).to_contain_text("in the trash")
    page.get_by_label("Find a workflow").fill("")
    page.locator(".trash summary").click()
    page.get_by_role("button", name="Restore birds/night/owl").click()
    page.get_by_label("Find a workflow").fill("night")
    expect(page.locator('.files button[title="birds/night/owl"]')).to_be_visible()


@contextmanager
def many(studio: Studio) -> Iterator[str]:
    """Workflows with long names in several scripts, for a while; the folder they are in."""
    folder = f"many {'z' * 60}"
    names = [
        f"{folder}/{name} {n}" for n in (2, 10, 1) for name in ("长文件名" * 8, "עברית שלום 7", "🦊" * 20, "y" * 80)
    ]
    addresses = [f"{studio.url}api/v1/workflows/{quote(name, safe='')}" for name in names]
    for address in addresses:
        assert studio.page.request.put(address, data={"version": 1, "nodes": {}}).ok
    yield folder
    for address in addresses:
        assert studio.page.request.delete(address, headers={"If-Match": "*"}).ok


def test_workflows_with_long_names_in_all_scripts_fit_the_panel(studio: Studio) -> None:
    """Folders are filled when they are opened, and stay as they are when a workflow of theirs is."""
    page = studio.page
    with many(studio) as name:
        page.keyboard.press("Control+o")
        rows = page.locator(".files details .choice-item[title^='many']")
        folder = page.locator(".files summary", has_text=name)
        folder.wait_for()
        expect(rows).to_have_count(0)
        folder.click()
        expect(rows).to_have_count(12)
        expect(page.locator(".files [role=menu]")).to_have_count(0)
        latin = page.locator(".files bdi", has_text="yyy").all_inner_texts()
        assert [text.split()[-1] for text in latin] == ["1", "2", "10"]
        for place in (".dock:visible", ".files"):
            assert page.locator(place).evaluate("place => place.scrollWidth <= place.clientWidth")
        rows.filter(has_text="שלום").first.click()
        expect(page.get_by_label("Name of the workflow")).to_have_value(re.compile("שלום 7 1$"))
        expect(rows).to_have_count(12)
        page.get_by_label("Find a workflow").fill("there is none of it")
        expect(page.locator(".files")).to_contain_text("Nothing found.")
    assert studio.complaints == []


def test_versions_are_kept_named_compared_and_restored(studio: Studio) -> None:
    page = studio.page
    prompt(studio).fill("an apple")
    save_as(studio, "versions")
    prompt(studio).fill("a pear")
    page.keyboard.press("Control+s")
    studio.button("Versions").click()
    rows = page.locator(".versions > li")
    expect(rows).to_have_count(2)
    rows.nth(1).get_by_text("Name…").click()
    page.get_by_label("Name of the version").fill("with the apple")
    page.keyboard.press("Enter")
    studio.button("Compare with with the apple").click()
    expect(page.locator(".differences:not([hidden])")).to_contain_text("an apple")
    studio.button("Restore with the apple").click()
    expect(prompt(studio)).to_have_value("an apple")
    studio.button("Undo").click()
    expect(prompt(studio)).to_have_value("a pear")
    save_as(studio, "versions of another")
    prompt(studio).fill("a plum")
    page.keyboard.press("Control+o")
    page.get_by_role("button", name="More for versions", exact=True).click()
    page.get_by_role("menuitem", name="What differs from the open one").click()
    told = page.get_by_role("dialog", name="From versions to the open workflow").get_by_role("listitem")
    expect(told).to_have_text(["text “a pear” → “a plum” on Prompt"])


def test_a_killed_browser_loses_nothing(studio: Studio, browser: Browser) -> None:
    """The draft is on the server within a second; another browser is offered it."""
    context = browser.new_context()
    killed = Studio(context.new_page(), studio.url).open()
    save_as(killed, "killed")
    prompt(killed).fill("nearly lost")
    wait_for_draft(killed.page)
    context.close()  # no more than the server has is left of it

    with window(browser, studio.url) as later:
        recover = later.page.get_by_role("button", name="Recover killed")
        recover.click()
        expect(prompt(later)).to_have_value("nearly lost")
        expect(recover).to_have_count(0)
        later.page.keyboard.press("Control+s")
        expect(later.page.locator(".notice")).to_contain_text("Saved killed")
    assert saved(studio, "killed")["nodes"]["2"]["inputs"]["text"] == "nearly lost"
    assert "killed" not in {draft["name"] for draft in drafts(studio)}


@pytest.mark.parametrize("seed", range(3))
def test_all_undone_is_the_start_and_what_is_saved_notes_what_its_models_hold(studio: Studio, seed: int) -> None:
    """What files hold the page learns while a person edits; a reload keeps it."""
    page, draw = studio.page, random.Random(seed)
    start = json.dumps(studio.document())
    deadline = time.monotonic() + RUN_MS / 1000
    while not any("/models/checkpoints/" in each for each in studio.requests) and time.monotonic() < deadline:
        page.wait_for_timeout(50)
    page.locator(".canvas").focus()
    for keys in draw.choices(EDITS, k=20):
        page.keyboard.press("Alt+ArrowRight")
        page.keyboard.press(keys)
    end = json.dumps(studio.document())
    assert end != start
    for way, whole in (("Undo", start), ("Redo", end), ("Undo", start)):
        while studio.button(way).is_enabled():
            studio.button(way).click()
        assert json.dumps(studio.document()) == whole, way
    page.reload()
    page.route("**/models/checkpoints/**", lambda route: route.fulfill(status=204))
    save_as(studio, f"noted {seed}")
    [(name, fact)] = saved(studio, f"noted {seed}")["files"].items()
    assert name == "checkpoints/weft-emoji.safetensors"
    assert fact.keys() == {"hash", "size"}
    assert studio.complaints == []


def test_a_draft_is_thrown_away_only_after_a_question(studio: Studio, browser: Browser) -> None:
    with window(browser, studio.url) as gone:
        save_as(gone, "doubtful")
        prompt(gone).fill("worth keeping?")
        wait_for_draft(gone.page)
    discard = studio.open().page.get_by_role("button", name="Discard doubtful")
    question = studio.page.get_by_role("dialog", name="Unsaved work")
    discard.click()
    question.get_by_role("button", name="Cancel").click()
    expect(discard).to_have_count(1)
    discard.click()
    question.get_by_role("button", name="Discard doubtful").click()
    expect(discard).to_have_count(0)


def test_what_was_deleted_elsewhere_is_saved_again(studio: Studio) -> None:
    save_as(studio, "vanishing")
    urlopen(Request(f"{studio.url}api/v1/workflows/vanishing", method="DELETE", headers={"If-Match": "*"})).close()
    prompt(studio).fill("still here")
    studio.page.keyboard.press("Control+s")
    dialog = studio.page.get_by_role("dialog", name="Save workflow")
    expect(dialog).to_contain_text("vanishing was deleted, or goes by another name now")
    dialog.get_by_role("button", name="Save it again").click()
    expect(dialog).to_have_count(0)
    expect(studio.page.get_by_role("tab", name="vanishing, not saved")).to_have_count(0)
    expect(studio.page.locator(".notice")).to_contain_text("Saved vanishing")
    assert saved(studio, "vanishing")["nodes"]["2"]["inputs"]["text"] == "still here"


def test_a_command_that_cannot_be_loaded_says_so_and_works_later(studio: Studio) -> None:
    with studio.page.expect_response("**/announce.js"):
        studio.open()
    studio.page.route("**/api/v1/tokens", lambda route: route.abort())
    with studio.page.expect_event("requestfailed"):
        prompt(studio).fill("not counted")
    studio.page.wait_for_timeout(100)
    assert [each for each in studio.complaints if "ERR_FAILED" not in each] == []
    studio.page.route("**/panels/save.js", lambda route: route.abort())
    studio.page.keyboard.press("Control+s")
    expect(studio.page.locator(".notice.shown")).to_have_text("The server could not be reached.")
    studio.page.unroute("**/panels/save.js")
    save_as(studio, "saved later")


def test_edits_are_merged_although_what_they_began_from_is_forgotten(studio: Studio, browser: Browser) -> None:
    save_as(studio, "long ago")
    with window(browser, studio.url) as other:
        other.page.evaluate("location.hash = 'workflow=long ago'")
        expect(other.page.get_by_label("Name of the workflow")).to_have_value("long ago")
        prompt(other).fill("theirs")
        other.page.keyboard.press("Control+s")
        expect(other.page.locator(".notice")).to_contain_text("Saved long ago")
    studio.page.route("**/revisions/*", lambda route: route.fulfill(status=404, json={"detail": "no such revision"}))
    prompt(studio).fill("mine")
    studio.page.keyboard.press("Control+s")
    dialog = studio.page.get_by_role("dialog")
    dialog.get_by_text("There: theirs").click()
    dialog.get_by_role("button", name="Merge and save").click()
    expect(dialog).to_have_count(0)
    expect(prompt(studio)).to_have_value("theirs")


def test_a_draft_that_another_window_works_on_is_not_offered(studio: Studio) -> None:
    save_as(studio, "busy")
    prompt(studio).fill("being worked on")
    wait_for_draft(studio.page)
    other = studio.page.context.new_page()
    with other.expect_response(lambda answer: answer.url.endswith("/workflows")):
        other.goto(studio.url)
    other.locator(".node").first.wait_for()
    expect(other.get_by_role("button", name="Recover busy")).to_have_count(0)
    other.close()


def test_a_window_that_is_a_copy_of_another_has_a_draft_of_its_own(studio: Studio) -> None:
    """A reloaded one keeps its draft."""

    def kept() -> set[str]:
        names = {each["name"] for each in drafts(studio) if each["name"].startswith("copied")}
        return {drafted(studio, name)["nodes"]["2"]["inputs"]["text"] for name in names}

    save_as(studio, "copied")
    prompt(studio).fill("of the first")
    wait_for_draft(studio.page)
    studio.page.reload()
    prompt(studio).fill("of the first, again")
    wait_for_draft(studio.page)
    assert kept() == {"of the first, again"}
    with studio.page.context.expect_page() as opened:
        studio.page.evaluate("void open(location.href)")
    copy = Studio(opened.value, studio.url)
    expect(prompt(copy)).to_have_value("of the first, again")
    copy.page.wait_for_timeout(700)  # as long as it waits for a window that goes away
    prompt(copy).fill("of the copy")
    wait_for_draft(copy.page)
    assert kept() == {"of the first, again", "of the copy"}


def test_two_windows_on_one_workflow_are_merged(studio: Studio, browser: Browser) -> None:
    save_as(studio, "shared")
    with window(browser, studio.url) as other:
        other.page.evaluate("location.hash = 'workflow=shared'")
        expect(other.page.get_by_label("Name of the workflow")).to_have_value("shared")
        prompt(other).fill("theirs")
        steps = other.node("5").get_by_label("steps", exact=True)
        steps.fill("9")
        steps.press("Control+s")
        expect(other.page.locator(".notice")).to_contain_text("Saved shared")
        prompt(studio).fill("mine")
        cfg = studio.node("5").get_by_label("cfg", exact=True)
        cfg.fill("5")
        cfg.press("Control+s")
        dialog = studio.page.get_by_role("dialog")
        expect(dialog).to_contain_text("Choose what stays")
        expect(dialog.get_by_role("group")).to_have_count(1)
        dialog.get_by_text("There: theirs").click()
        with studio.page.expect_response(
            lambda answer: answer.request.method == "PUT" and answer.url.endswith("/workflows/shared")
        ):
            dialog.get_by_role("button", name="Merge and save").click()
        expect(studio.page.locator(".notice")).to_contain_text("Saved shared")
    nodes = saved(studio, "shared")["nodes"]
    assert (nodes["2"]["inputs"]["text"], nodes["5"]["inputs"]["steps"], nodes["5"]["inputs"]["cfg"]) == (
        "theirs",
        9,
        5,
    )
    studio.button("Undo").click()
    expect(prompt(studio)).to_have_value("mine")


def test_a_link_opens_a_saved_workflow(studio: Studio, browser: Browser) -> None:
    """Copied to the clipboard; followed by a browser that was never here, pasted and dropped on another window."""
    prompt(studio).fill("behind a link")
    copy = studio.page.get_by_role("menuitem", name="Copy a link to this workflow")
    studio.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    studio.button("Main commands").click()
    copy.click()
    expect(studio.page.locator(".notice")).to_contain_text("Save the workflow first")
    save_as(studio, "links/一")
    studio.button("Main commands").click()
    copy.click()
    expect(studio.page.locator(".notice")).to_contain_text("The link opens this workflow")
    link = studio.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{studio.url}#workflow={quote('links/一', safe='')}"
    context = browser.new_context()
    page = context.new_page()
    page.goto(link)
    expect(Studio(page, studio.url).node("2").get_by_role("textbox", name="text")).to_have_value("behind a link")
    assert page.url == studio.url
    context.close()
    other = Studio(studio.page.context.new_page(), studio.url).open()
    name = other.page.get_by_label("Name of the workflow")
    other.page.locator(".canvas").press("Control+v")
    expect(name).to_have_value("links/一")
    expect(prompt(other)).to_have_value("behind a link")
    other.page.keyboard.press("Alt+n")
    expect(name).to_have_value("")
    for address, opened in (("https://example.org/#workflow=links", ""), (link, "links/一")):
        went = other.page.locator(".canvas").evaluate(DROP_LINK, address)
        assert went == (opened == "")
        expect(name).to_have_value(opened)
    assert other.complaints == studio.complaints == []


def test_a_picture_of_any_format_brings_its_workflow(studio: Studio) -> None:
    workflow = {"version": 1, "nodes": {"2": {"type": "CLIPTextEncode", "inputs": {"text": "from a file"}}}}
    for suffix in ("webp", "jpeg", "avif"):
        exif = Image.Exif()
        exif[0x010E] = json.dumps(workflow)
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, suffix, exif=exif)
        studio.drop(studio.page.locator(".panel"), f"made.{suffix}", f"image/{suffix}", file.getvalue())
        expect(studio.page.locator(".notice")).to_contain_text(f"made.{suffix}")
        expect(prompt(studio)).to_have_value("from a file")


def test_an_exported_picture_brings_its_workflow_back(studio: Studio, tmp_path: Path) -> None:
    prompt(studio).fill("带在图片里")
    studio.button("Main commands").click()
    with studio.page.expect_download() as download:
        studio.page.get_by_role("menuitem", name=re.compile("^Export as a picture")).click()
    path = tmp_path / "card.png"
    download.value.save_as(path)
    with Image.open(path) as picture:
        picture.load()
        assert json.loads(picture.info["workflow"])["nodes"]["2"]["inputs"]["text"] == "带在图片里"


def test_a_save_over_a_stale_revision_is_never_silent(studio: Studio) -> None:
    save_as(studio, "guarded")
    body = json.dumps({"version": 1, "nodes": {}}).encode()
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    with urlopen(Request(f"{studio.url}api/v1/workflows/guarded", body, headers, method="PUT")) as answer:
        assert answer.status == 200
    prompt(studio).fill("late")
    studio.page.keyboard.press("Control+s")
    expect(studio.page.get_by_role("dialog")).to_contain_text("changed elsewhere")
    assert saved(studio, "guarded")["nodes"] == {}


def test_a_name_that_is_refused_is_told_at_the_field_which_keeps_it(studio: Studio) -> None:
    save_as(studio, "refused/first")
    studio.page.keyboard.press("Alt+n")
    expect(studio.page.get_by_role("textbox", name="Name of the workflow")).to_have_value("")
    studio.page.keyboard.press("Control+s")
    dialog = studio.page.get_by_role("dialog", name="Save workflow")
    name = dialog.get_by_label("Name", exact=True)
    name.fill("a/../b")
    name.press("Enter")
    expect(name).to_have_accessible_description(re.compile(r"a/\.\./b"))
    expect(name).to_have_value("a/../b")
    expect(name).to_be_focused()
    name.fill("refused/first")
    expect(name).to_have_accessible_description("")
    name.press("Enter")
    dialog.get_by_role("button", name="Save under another name").click()
    expect(name).to_have_value("refused/first")
    name.fill("refused/second")
    name.press("Enter")
    expect(studio.page.locator(".notice")).to_contain_text("Saved refused/second")
    studio.page.keyboard.press("Control+o")
    studio.page.get_by_label("Find a workflow").fill("refused/second")
    studio.page.get_by_role("button", name="More for refused/second").click()
    studio.page.get_by_role("menuitem", name="Rename or move…").click()
    moved = studio.page.get_by_role("dialog", name="Rename or move").get_by_label("Name", exact=True)
    moved.fill("refused/first")
    moved.press("Enter")
    expect(moved).to_have_accessible_description(re.compile("already"))


def test_saving_again_while_a_save_is_under_way_is_no_conflict(studio: Studio) -> None:
    save_as(studio, "in haste")
    studio.page.evaluate("""() => {
        const ask = fetch;
        window.fetch = async (path, options) => {
            const answer = await ask(path, options);
            if (path.endsWith("/workflows/in%20haste")) await new Promise((resolve) => setTimeout(resolve, 300));
            return answer;
        };
    }""")
    for text in ("first", "second"):
        prompt(studio).fill(text)
        studio.page.keyboard.press("Control+s")
    studio.page.wait_for_timeout(700)
    expect(studio.page.get_by_role("dialog")).to_have_count(0)
    assert saved(studio, "in haste")["nodes"]["2"]["inputs"]["text"] == "second"


def test_drafts_that_cannot_be_kept_are_told_once(studio: Studio) -> None:
    refused = {"detail": "This could not be stored: the disk is full.", "code": "full"}
    studio.page.route("**/draft*", lambda route: route.fulfill(status=507, json=refused))
    notice = studio.page.locator(".notice")
    with studio.page.expect_response("**/draft*"):
        prompt(studio).fill("not kept")
    expect(notice).to_contain_text("the disk is full")
    save_as(studio, "kept at last")
    with studio.page.expect_response("**/draft*"):
        prompt(studio).fill("again not kept")
    studio.page.wait_for_timeout(100)
    expect(notice).to_contain_text("Saved kept at last")
