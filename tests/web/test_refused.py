"""What the server refuses is said in the language of the page: by its code, which has a sentence in every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import Browser, expect

from jobs.files import BadName, parts_of
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
    assert [each for each in newcomer.complaints if "Failed to load" not in each] == []
    context.close()
