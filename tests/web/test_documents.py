"""What the editor saves after random edits is what the engine reads: components, reroutes, modes, frames and all."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from graph.flatten import flatten
from graph.problems import Problems
from graph.workflow import parse

HERE = Path(__file__).parent
COUNT = 150


@pytest.fixture(scope="module")
def documents() -> Sequence[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node.js on this machine")
    command = [node, str(HERE / "chance.js"), str(COUNT)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def test_random_documents_are_documents_of_the_engine(documents: Sequence[str]) -> None:
    assert len(documents) == COUNT
    with_components = 0
    for text in documents:
        workflow = parse(text.encode())
        problems = Problems()
        flat = flatten(workflow.document, {}, problems)
        assert not problems, f"{[problem.message for problem in problems]} in {text}"
        assert not [id for id in flat.entries if flat.entries[id]["type"] in ("Note", "Reroute")]
        with_components += any("/" in id for id in flat.entries)
    assert with_components > COUNT // 10
