"""What the server refuses is said in the language of the page: by its code, which has a sentence in every language."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser, expect

from jobs.files import BadName, parts_of
from tests.web.conftest import RUN_MS
from tests.web.newcomer import ROOT, Newcomer, sentences

STANDARD = {"title", "status", "code", "detail", "hint", "node", "port"}
"""What every refusal or error of a job has; `count` and `first` are of its problems, which every refused graph has."""
GIVEN = {"invalid_graph": {"count", "first"}, "bad_document": {"count", "first"}}


def called(name: str, *folders: str) -> Iterator[ast.Call]:
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield node


def texts(node: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def refusals() -> Mapping[str, set[str]]:
    """The codes of all refusals in the sources of the server, each with the values that come with it every time."""
    found: dict[str, set[str]] = {}
    for call in called("Refused", "api"):
        dicts = [each.value for each in call.keywords if each.arg == "facts" and isinstance(each.value, ast.Dict)]
        keys = {key for each in dicts for name in each.keys if name is not None for key in texts(name)}
        for code in texts(call.args[1]):
            found[code] = found.get(code, keys) & keys
    return found


def failures() -> set[str]:
    """The codes of all that a job can fail of."""
    named = {code for call in called("NodeError", "graph") for code in texts(call.args[0])}
    worker = {code for call in called("_error", "jobs") for code in texts(call.args[0])}
    lost = re.findall(r'"code": "(\w+)"', (ROOT / "jobs/recovery.py").read_text("utf-8"))
    return named | worker | {*lost}


def pattern(node: ast.AST) -> str:
    """A text of the sources, with "*" for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(pattern(part) for part in parts)
        case _:
            return "*"


def raised() -> Iterator[tuple[str, str]]:
    """What nodes, models and documents are refused for: the module and the sentence."""
    paths = (path for folder in ("nodes", "diffusion") for path in sorted((ROOT / folder).rglob("*.py")))
    for path in (*paths, ROOT / "graph/widgets.py", ROOT / "graph/workflow.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args:
                yield path.relative_to(ROOT).as_posix(), pattern(node.exc.args[1 if _of_a_file(node.exc) else 0])


def _of_a_file(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "BadWeights"


def written() -> set[str]:
    """Every text in the sources of the engine, and what comes before or after a colon in one."""
    folders = ("nodes", "diffusion", "graph", "jobs")
    trees = (ast.parse(path.read_text("utf-8")) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    texts = {pattern(node) for tree in trees for node in ast.walk(tree)}
    return {part for text in texts for part in (*ends(text), text.split(": ")[0])}


def ends(text: str) -> list[str]:
    pieces = text.split(": ")
    return [": ".join(pieces[at:]) for at in range(len(pieces))]


def fit(one: str, other: str) -> bool:
    """Whether one is the other with more, or less, of it filled in, and most of it is there."""
    short, long = sorted(len(text.replace("*", "")) for text in (one, other))
    filled = any(re.fullmatch(re.escape(a).replace(r"\*", ".*"), b) for a, b in ((one, other), (other, one)))
    return filled and 2 * short > long


UNMET = re.compile(
    "nodes/(devices|storage)|diffusion/(configs|fill|header|latents|several|training|residency/.*)"
    "|diffusion/(layouts/(arranged|dit|flux|mmdit|taesd)|networks/(autoencoder|shapes)|patches/(adapters|file)"
    "|text/(clip|t5|towers))|graph/workflow"
)
"""Modules whose sentences files that somebody made by hand bring out, or callers' mistakes; common ones have one all
the same."""
HAND_MADE = re.compile("(U-Net|DiT|MMDiT|Flux|PixArt|IP-Adapter|metadata|tensor|image encoder|a control|layer|<)\\b.*")
ELSEWHERE = {
    *("Expecting value", "Extra data", "Unterminated string starting at", "*: line * column * (char *)"),
    "the device's memory is too small, even after *. Smaller pictures need less. On *",
    "expected shares of 0 to 1 and values from * to *, got *",
    'expected pairs as "0: 7, 0.5: 5, 1: 1", got *',
}
"""What Python's reader of JSON says, and what is put together from several texts."""


def test_what_people_fail_of_is_said_in_chinese() -> None:
    phrases = {key.removeprefix("phrase.") for key in sentences("zh") if key.startswith("phrase.")}
    sentence = {text for module, text in raised() if not UNMET.match(module) and not HAND_MADE.fullmatch(text)}
    told = {text for text in sentence if not text.rpartition(": ")[2].startswith("*") or "* " in text}
    assert len(told) > 120
    missing = {text for text in told if not any(fit(phrase, end) for end in ends(text) for phrase in phrases)}
    assert not missing, "\n".join(sorted(missing))


def test_every_phrase_is_one_that_the_engine_says() -> None:
    there = written() | ELSEWHERE
    phrases = {key.removeprefix("phrase.") for key in sentences("zh") if key.startswith("phrase.")}
    gone = {phrase for phrase in phrases - there if not any(fit(text, phrase) for text in there)}
    assert not gone, "\n".join(sorted(gone))


def test_every_refusal_has_a_sentence_of_its_own() -> None:
    known, said = refusals(), sentences("zh")
    assert len(known) > 40
    assert {key.removeprefix("refused.") for key in said if key.startswith("refused.")} == known.keys()
    for code, facts in known.items():
        holes = {*re.findall(r"\{(\w+)\}", said[f"refused.{code}"])}
        assert holes <= facts | STANDARD | GIVEN.get(code, set()), code
    assert len(failures()) == 5
    assert {f"problem.{code}" for code in failures()} <= said.keys()


@pytest.mark.parametrize("name", ["", "a/../b", "a:b", " a", ".a", "nul", "\ud800", "x" * 256], ids=ascii)
def test_every_rule_of_names_is_a_phrase(name: str) -> None:
    with pytest.raises(BadName) as error:
        parts_of(name)
    pattern = re.sub(r"'[^']*'|[0-9]+", "*", error.value.rule)
    assert f"phrase.{pattern}" in sentences("zh")


def test_a_person_who_reads_chinese_reads_why(browser: Browser, server: str) -> None:
    context = browser.new_context(locale="zh-CN", viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    newcomer = Newcomer(page, server, language="zh").arrive()
    notice = page.locator(".notice")
    newcomer.drop(page.locator(".canvas"), "not.png", "image/png", b"text")
    expect(notice).to_contain_text("“not.png”不是可用的图片：文件已损坏")
    page.keyboard.press("Control+Shift+S")
    page.get_by_role("textbox", name="名称", exact=True).fill("a:b")
    page.keyboard.press("Enter")
    forbidden = '含有控制字符、方向字符，或 < > : " | ? * \\ 之一'
    expect(page.get_by_text(f"“a:b”不能用作名称：{forbidden}。")).to_be_visible()
    page.keyboard.press("Escape")
    nodes = {
        "1": {"type": "SolidImage", "inputs": {"width": 64, "height": 64}},
        "2": {"type": "ImageCrop", "inputs": {"image": {"node": "1", "output": "image"}, "width": 32, "x": 500}},
        "3": {"type": "PreviewImage", "inputs": {"image": {"node": "2", "output": "image"}}},
    }
    document = {"version": 1, "nodes": nodes, "view": {}}
    newcomer.drop(page.locator(".canvas"), "crop.json", "application/json", json.dumps(document).encode())
    expect(page.locator(".node")).to_have_count(3)
    page.keyboard.press("Control+Enter")
    problem = newcomer.node("2").locator(".node-problem")
    expect(problem).to_have_text("裁剪：裁剪框应与图像相交，实际是位于 500, 0 的 32 × 512", timeout=RUN_MS)
    expect(problem.locator("[lang]")).to_have_count(0)
    assert [each for each in newcomer.complaints if "Failed to load" not in each] == []
    context.close()
