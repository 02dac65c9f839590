from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
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
next();
export const shared = () => next();
""",
}


def test_one_module_does_what_the_many_do(tmp_path: Path) -> None:
    """What is imported later shares the modules of the bundle: they run once."""
    made = bundle(MODULES.__getitem__, "main.js")
    for name, text in {**MODULES, **made.stands, "main.js": made.code, "package.json": '{"type": "module"}'}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    ran = subprocess.run(["node", "main.js"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [6, "import { x } from this", 4, 2]
    assert "panels/late.js" not in made.stands


def test_the_map_leads_every_line_to_its_source() -> None:
    made = bundle(MODULES.__getitem__, "main.js")
    lines = made.code.split("\n")
    for section in json.loads(made.map)["sections"]:
        (source,) = section["map"]["sources"]
        text = MODULES[source.removeprefix("/web/")].split("\n")
        start = section["offset"]["line"]
        assert section["map"]["mappings"].count(";") == len(text) - 1
        same = [there.strip() == here for there, here in zip(text, lines[start:], strict=False)]
        assert sum(same) >= len(text) / 3, source


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
