"""Adapter files of LyCORIS and PEFT against what those make of them, as recorded by `golden/record_adapters.py`."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file

from diffusion.patches.file import read_adapters
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import relative_error

TENSORS = load_file(Path(__file__).with_name("golden") / "adapters.safetensors")
CASES = sorted({name.partition("|")[0] for name in TENSORS})


@pytest.mark.parametrize("case", CASES)
def test_a_file_makes_of_a_weight_what_its_trainer_does(case: str, tmp_path: Path) -> None:
    beginning = f"{case}|file|"
    tensors = {name.removeprefix(beginning): t for name, t in TENSORS.items() if name.startswith(beginning)}
    (change,) = read_adapters(tiny.save(tmp_path / "x.safetensors", tensors)).changes
    assert change.weight is not None
    weight, merged = TENSORS[f"{case}|weight"], TENSORS[f"{case}|merged"]
    assert relative_error(merged, weight) > 0.01
    assert relative_error(weight + change.weight.delta(weight), merged) <= 1e-6
