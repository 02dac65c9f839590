"""Imports point one way: the layers of the design, and a server that never loads torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_layers() -> None:
    """The import-linter contracts of pyproject.toml hold (imports inside functions included)."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "module",
    ["server", "api.app", "compat.workflows", "compat.protocol", "jobs.service", "jobs.worker", "graph.executor"],
)
def test_the_server_side_loads_no_torch(module: str) -> None:
    heavy = "{'torch', 'numpy', 'safetensors', 'transformers', 'PIL'}"
    program = f"import sys, {module}; loaded = {heavy} & set(sys.modules); print(loaded); sys.exit(bool(loaded))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
