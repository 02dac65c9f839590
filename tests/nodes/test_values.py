"""What the engine is told of values: bytes, equality, whether saved files still stand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from graph.context import OutputFile
from graph.files import NoFiles
from nodes.types import Conditioning, Latent
from nodes.values import NodeTraits
from tests.nodes.studio import Studio, changed
from tests.nodes.test_workflows import template

TRAITS = NodeTraits(NoFiles())
IMAGE = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class Other:
    samples_BCHW: Tensor


@pytest.mark.parametrize("wrap", [lambda x: x, Latent, lambda x: [x, 1], lambda x: {"a": (x,)}])
def test_equal_content_is_equal(wrap) -> None:
    assert TRAITS.fingerprint(wrap(IMAGE)) == TRAITS.fingerprint(wrap(IMAGE.clone()))
    assert TRAITS.fingerprint(wrap(IMAGE)) != TRAITS.fingerprint(wrap(IMAGE + 1e-7))


def test_what_differs_in_anything_differs() -> None:
    values = [
        IMAGE,
        IMAGE[:1],
        IMAGE.view(2, 3, 64),
        IMAGE.transpose(2, 3),
        IMAGE.double(),
        IMAGE.half(),
        IMAGE.bfloat16(),
        torch.zeros(2),
        torch.zeros(2, dtype=torch.int32),
        torch.zeros(0),
        torch.zeros(0, 3),
        torch.tensor(1.0),
        torch.tensor(True),
        Latent(IMAGE),
        Other(IMAGE),
        Conditioning.of(IMAGE),
        Conditioning.of(IMAGE, IMAGE),
        [IMAGE],
        (IMAGE,),
        {"a": IMAGE},
        [IMAGE, []],
        [IMAGE, "builtins.list 0"],
        [[IMAGE]],
        "text",
        1,
        True,
        None,
    ]
    prints = [TRAITS.fingerprint(value) for value in values]
    assert None not in prints
    assert len(set(prints)) == len(values)


def test_a_view_is_its_content() -> None:
    assert TRAITS.fingerprint(IMAGE[:, :, ::2]) == TRAITS.fingerprint(IMAGE[:, :, ::2].contiguous())
    assert TRAITS.fingerprint(IMAGE.expand(2, 3, 8, 8)) == TRAITS.fingerprint(IMAGE)


@pytest.mark.parametrize(
    "value", [nn.Linear(2, 2), [IMAGE, nn.Linear(2, 2)], object(), lambda: 1, torch.eye(2).to_sparse()]
)
def test_what_has_no_content_to_compare_has_no_fingerprint(value: object) -> None:
    assert TRAITS.fingerprint(value) is None


def test_size_counts_each_storage_once() -> None:
    assert 0 <= TRAITS.size(IMAGE) - IMAGE.numel() * 4 < 200
    assert 0 <= TRAITS.size([IMAGE, IMAGE[:1], IMAGE.view(-1)]) - IMAGE.numel() * 4 < 600
    assert 0 <= TRAITS.size(Conditioning.of(IMAGE, IMAGE.clone())) - 2 * IMAGE.numel() * 4 < 1200
    assert TRAITS.size(IMAGE[0, 0, 0]) >= IMAGE.numel() * 4


def test_models_are_as_large_as_their_weights_and_equal_as_they_were_made(studio: Studio) -> None:
    parts = studio.value(template("default"), "1")
    sizes = {name: TRAITS.size(part) for name, part in parts.items()}
    weights = sum(p.numel() * 4 for p in parts["model"].network.parameters())
    assert weights <= sizes["model"] < weights * 1.5
    assert sizes["clip"] > 49408 * 64 * 4
    assert sizes["vae"] > 1_000_000
    assert [TRAITS.fingerprint(part) for part in parts.values()] == [None, None, None]


def test_a_saved_file_stands_while_it_is_there(studio: Studio) -> None:
    traits = NodeTraits(studio.files)
    save = studio.context.save
    files = [save(b"x", prefix="a", media_type="image/png", width=1, height=1, temporary=t) for t in (False, True)]
    assert traits.valid(files)
    studio.files.path(files[1].folder, files[1].name).unlink()
    assert not traits.valid(files)
    assert traits.valid(files[:1])
    assert not traits.valid([OutputFile("../a.png", "image/png", 1, 1)])
    assert traits.valid(IMAGE)


def test_equal_values_stop_a_change(studio: Studio) -> None:
    """A canvas of other numbers that rounds to the same one: EmptyLatent runs, nothing after it."""
    document = template("default", n4_width=64, n4_height=48)
    studio.ran(document)
    assert studio.ran(changed(document, n4_width=70)) == ["EmptyLatent"]


def test_the_state_of_a_network_is_its_weights(studio: Studio) -> None:
    model = studio.value(template("default"), "1")["model"]
    before = TRAITS.state([model, IMAGE])
    assert before == TRAITS.state([model, IMAGE])
    weight = next(model.network.parameters())
    with torch.no_grad():
        weight.view(-1)[0] += 1
        assert TRAITS.state([model, IMAGE]) != before
        weight.view(-1)[0] -= 1
    assert TRAITS.state([model, IMAGE]) == before
