"""Budgets: a module reads in one sitting, a function fits a screen, nothing mutable lives in a module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("graph", "jobs", "api", "compat", "nodes", "diffusion")
MODULE_LINES, NETWORK_LINES, FUNCTION_LINES = 400, 600, 60

LONGER_MODULES: dict[str, int] = {}
LONGER_FUNCTIONS: dict[str, int] = {}
MUTABLE_GLOBALS: set[str] = set()


def sources() -> list[Path]:
    found = [ROOT / "server.py", *(p for name in PACKAGES for p in (ROOT / name).rglob("*.py"))]
    assert len(found) > 30, "the budgets look at the whole program"
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {name_of(path): ast.parse(path.read_text("utf-8")) for path in sources()}


def test_modules_read_in_one_sitting() -> None:
    def budget(name: str) -> int:
        return LONGER_MODULES.get(name) or (NETWORK_LINES if name.startswith("diffusion/networks/") else MODULE_LINES)

    lines = {name_of(path): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: n for name, n in lines.items() if n > budget(name)} == {}


def test_functions_fit_one_screen(trees: dict[str, ast.Module]) -> None:
    def functions() -> Iterator[tuple[str, int]]:
        for name, tree in trees.items():
            for item in ast.walk(tree):
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{name}:{item.name}", (item.end_lineno or 0) - item.lineno + 1

    assert {k: n for k, n in functions() if n > LONGER_FUNCTIONS.get(k, FUNCTION_LINES)} == {}


def test_no_global_statement(trees: dict[str, ast.Module]) -> None:
    assert [n for n, tree in trees.items() if any(isinstance(x, ast.Global) for x in ast.walk(tree))] == []


def test_no_mutable_container_in_a_module(trees: dict[str, ast.Module]) -> None:
    """A module-level list, dict or set must be annotated as read-only (Mapping, Sequence, Final...) or be a tuple."""
    mutable = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
    frozen = ("Mapping", "Sequence", "Final", "Collection", "AbstractSet")
    found: set[str] = set()
    for name, tree in trees.items():
        for item in tree.body:
            annotation = ast.unparse(item.annotation) if isinstance(item, ast.AnnAssign) else ""
            value = item.value if isinstance(item, ast.Assign | ast.AnnAssign) else None
            if isinstance(value, mutable) and not annotation.startswith(frozen):
                target = item.targets[0] if isinstance(item, ast.Assign) else item.target  # pyright: ignore
                found.add(f"{name}:{ast.unparse(target)}")
    assert {f for f in found if not f.endswith(":__all__")} - MUTABLE_GLOBALS == set()


def test_every_module_says_what_it_is(trees: dict[str, ast.Module]) -> None:
    assert [name for name, tree in trees.items() if tree.body and ast.get_docstring(tree) is None] == []


def test_only_the_resolver_opens_files_for_the_api(trees: dict[str, ast.Module]) -> None:
    """Names that clients send become paths in jobs/files.py alone; no handler opens, joins or reads by itself."""
    opening = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rename", "iterdir"}
    calls = [
        f"{name}:{item.lineno}"
        for name, tree in trees.items()
        if name.startswith("api/")
        for item in ast.walk(tree)
        if isinstance(item, ast.Call)
        and (
            (isinstance(item.func, ast.Name) and item.func.id in opening)
            or (isinstance(item.func, ast.Attribute) and item.func.attr in opening)
        )
    ]
    assert calls == []
