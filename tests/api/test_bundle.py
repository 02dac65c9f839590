from __future__ import annotations

import json
import string
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from api.bundle import bundle

WEB = Path(__file__).parents[2] / "web"
MODULES: Mapping[str, str] = {
    "main.js": """import { add, Box } from "./core/add.js";
import * as words from "./words.js";

export const result = [add(2, 3), words.hello, new Box().size];
const late = await import("./panels/late.js");
console.log(JSON.stringify([...result, late.shared()]));
""",
    "core/add.js": """/** import nothing from "./nowhere.js"; */

import {
  ONE as one,
} from "../words.js";

export const add = (a, b) => a + b + one;
export class Box {
  size = 4;
}
""",
    "words.js": """const hello = "import { x } from this";
let count = 0;
export const ONE = 1;
export function next() {
  return (count += 1);
}
export async function* nothing() {}
export { hello };
""",
    "panels/late.js": """import { next } from "../words.js";
import * as words from "../words.js";
import {
  ONE as one,
} from "../words.js";
words.next(one);
export const shared = () => next();
""",
}


@pytest.mark.parametrize("stands", [True, False])
def test_one_module_does_what_the_many_do(tmp_path: Path, stands: bool) -> None:
    """What is imported later shares the modules of the bundle, through stand-ins or directly: they run once."""
    made = bundle(MODULES.__getitem__, "main.js")
    late = MODULES["panels/late.js"] if stands else made.shared("panels/late.js", MODULES["panels/late.js"])
    sent = {**made.stands, "panels/late.js": late} if stands else {"panels/late.js": late}
    for name, text in {**sent, "main.js": made.code, "package.json": '{"type": "module"}'}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ran = subprocess.run(["node", "main.js"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [6, "import { x } from this", 4, 2]
    assert "panels/late.js" not in made.stands


def test_the_map_leads_every_line_to_its_source() -> None:
    modules = {**MODULES, "words.js": "\n" * 1000 + MODULES["words.js"]}
    made = bundle(modules.__getitem__, "main.js")
    lines = made.code.split("\n")
    led = set[int]()
    for section in json.loads(made.map)["sections"]:
        (source,) = section["map"]["sources"]
        text = modules[source.removeprefix("/web/")].split("\n")
        at = 0
        for here, mapping in enumerate(section["map"]["mappings"].split(";"), section["offset"]["line"]):
            zero, own, step, column = decoded(mapping)
            at += step
            assert (zero, own, column) == (0, 0, 0)
            same = text[at].strip().removeprefix("export ") == lines[here]
            assert same or text[at].startswith(("import", "  ONE", "}", "const late")), (source, text[at], lines[here])
            led.add(here)
    around = [line for here, line in enumerate(lines) if here not in led]
    assert {line.split(" ")[0] for line in around} == {"const", "return", "void", "})();", "export", "//#", ""}


def decoded(mapping: str) -> Iterator[int]:
    """The numbers of a mapping: digits of five bits, least first, 32 where more follow; the lowest bit is a sign."""
    value = shift = 0
    for letter in mapping:
        digit = (string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/").index(letter)
        value |= (digit & 31) << shift
        shift += 5
        if digit < 32:
            yield -(value >> 1) if value & 1 else value >> 1
            value = shift = 0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ('import "./words.js";', "by name"),
        ('import words from "./words.js";', "by name"),
        ("export default 1;", "by name"),
        ("export let count = 0;", "by name"),
        ('export { add } from "./core/add.js";', "by name"),
        ('import { result } from "./main.js";', "main.js > core/add.js > words.js > main.js"),
    ],
)
def test_what_it_does_not_take_is_refused_by_name(change: str, told: str) -> None:
    modules = {**MODULES, "words.js": f"{change}\n{MODULES['words.js']}"}
    with pytest.raises(ValueError, match=told):
        bundle(modules.__getitem__, "main.js")


def test_the_page_is_one_module() -> None:
    made = bundle(lambda name: (WEB / name).read_text(encoding="utf-8"), "main.js")
    assert len(made.stands) > 30
