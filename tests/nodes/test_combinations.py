"""Any parts that can be connected paint, or say precisely why not; each picture of a batch as it does alone.

`COMBINATIONS=3000 pytest tests/nodes/test_combinations.py` tries as many, other ones each time.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from torch import Tensor

from graph.cache import Cache, Memory
from graph.events import Failed
from graph.node import collect
from graph.registry import Registry
from nodes import builtin
from nodes.values import NodeTraits
from tests.nodes import combinations
from tests.nodes.combinations import Combination, folder_in
from tests.nodes.studio import Document, Studio

COUNT = int(os.environ.get("COMBINATIONS", "0"))
CAMPAIGN = settings(
    max_examples=COUNT or 30,
    derandomize=not COUNT,
    phases=[Phase.generate, Phase.shrink] if COUNT else [Phase.generate],
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def studio_in(root: Path) -> Studio:
    (root / "models").mkdir()
    studio = Studio(folder_in(root / "models"), root / "data")
    studio.registry = Registry([*builtin(), *collect(combinations)])
    return studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return studio_in(tmp_path_factory.mktemp("combinations"))


def painted(studio: Studio, document: Document, node: str) -> Tensor | None:
    """What comes of it, computed anew; None where it is refused, with the input to blame."""
    studio.cache = Cache([Memory(1 << 30)], NodeTraits(studio.files))
    outcome = studio.run(document)
    if outcome.state == "done":
        return studio.value(document, node)["latent"].samples_BCHW
    (error,) = (event.error for event in studio.events if isinstance(event, Failed))
    assert (error.type, bool(error.port)) == ("ValueError", True), error
    return None


@CAMPAIGN
@given(combinations.combinations())
def test_any_parts_paint_or_say_why_not(studio: Studio, combination: Combination) -> None:
    document, node = combination.document, combination.node
    latent = painted(studio, document, node)
    if latent is None:
        return
    assert tuple(latent.shape) == combination.shape
    assert latent.isfinite().all()
    again = painted(studio, document, node)
    assert again is not None
    assert torch.equal(again, latent)
    if combination.shape[0] > 1 and not combination.takes_pictures_together:
        alone = painted(studio, combination.of_the_last(), node)
        assert alone is not None
        assert float((alone - latent[-1:]).abs().max() / latent.abs().max().clamp_min(1)) < 1e-3
