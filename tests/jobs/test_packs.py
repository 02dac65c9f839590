"""Node packs: found by their folder, isolated from each other's failures."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graph.node import collect
from jobs.packs import NAMESPACE, load_packs
from tests.jobs import nodes

NODE = """
from graph import node
@node("{id}", category="pack")
def f(a: int = 0) -> int:
    return a + {plus}
"""


@pytest.fixture(autouse=True)
def fresh_namespace():
    yield
    for name in [name for name in sys.modules if name == NAMESPACE or name.startswith(f"{NAMESPACE}.")]:
        del sys.modules[name]


def pack(folder: Path, name: str, text: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(text)
    return folder / name


def test_nodes_of_a_pack_and_its_modules_are_known(tmp_path: Path) -> None:
    folder = pack(tmp_path, "acme", NODE.format(id="acme.One", plus=1))
    (folder / "more.py").write_text("from . import f\n" + NODE.format(id="acme.Two", plus=2))
    (folder / "_private.py").write_text("raise RuntimeError")
    (folder / "test_more.py").write_text("raise RuntimeError")
    (tmp_path / "no_pack").mkdir()
    (tmp_path / "single.py").write_text(NODE.format(id="single.One", plus=3))
    (tmp_path / "_private.py").write_text("raise RuntimeError")
    registry, packs = load_packs(collect(nodes), [tmp_path, tmp_path / "nowhere"])
    assert [(p.name, p.nodes, p.error) for p in packs] == [
        ("acme", ("acme.One", "acme.Two"), None),
        ("single", ("single.One",), None),
    ]
    assert {"acme.One", "acme.Two", "Number"} <= set(registry)
    fn = registry["acme.Two"].fn
    assert fn is not None
    assert fn(1) == 3


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import nothing_of_the_kind", "ModuleNotFoundError"),
        ("def broken(:", "SyntaxError"),
        ("raise SystemExit(3)", "SystemExit"),
        (NODE.format(id="Number", plus=1), "defined by both"),
        ("from graph import node\n@node('x', category='c')\ndef f(a): ...", "no type annotation"),
    ],
)
def test_a_broken_pack_costs_itself_only(tmp_path: Path, text: str, reason: str) -> None:
    pack(tmp_path, "bad", text)
    pack(tmp_path, "good", NODE.format(id="good.One", plus=1))
    registry, packs = load_packs(collect(nodes), [tmp_path])
    bad, good = packs
    assert bad.nodes == ()
    assert bad.error is not None
    assert reason in bad.error
    assert good.nodes == ("good.One",)
    assert "good.One" in registry


def test_the_first_folder_that_has_a_pack_wins(tmp_path: Path) -> None:
    pack(tmp_path / "a", "acme", NODE.format(id="acme.A", plus=1))
    pack(tmp_path / "b", "acme", NODE.format(id="acme.B", plus=1))
    _, packs = load_packs([], [tmp_path / "a", tmp_path / "b"])
    assert [p.nodes for p in packs] == [("acme.A",)]
