"""Which tensor is of which block, and what ratio it gets."""

from __future__ import annotations

import pytest
import torch

from diffusion.blocks import CURVES, Ratios, labels_of, parse_rules
from diffusion.networks.mmdit import MMDiT
from diffusion.networks.unet import UNet
from tests.diffusion.networks import published


def names(params: object) -> list[str]:
    with torch.device("meta"):
        return list((MMDiT if hasattr(params, "depth") else UNet)(params).state_dict())  # type: ignore[arg-type]


SD1, SDXL, SD3 = (names(p) for p in (published.SD1_5, published.SDXL, published.SD3_MEDIUM))


@pytest.mark.parametrize(
    ("tensors", "blocks"),
    [
        (SD1, ["BASE", *(f"IN{n:02d}" for n in range(12)), "M00", *(f"OUT{n:02d}" for n in range(12))]),
        (SDXL, ["BASE", *(f"IN{n:02d}" for n in range(9)), "M00", *(f"OUT{n:02d}" for n in range(9))]),
        (SD3, ["BASE", *(f"J{n:02d}" for n in range(24)), "FINAL"]),
    ],
    ids=["SD1", "SDXL", "SD3"],
)
def test_the_blocks_of_a_network(tensors: list[str], blocks: list[str]) -> None:
    assert labels_of(tensors).blocks == blocks


@pytest.mark.parametrize(
    ("tensor", "block"),
    [
        ("time_embed.0.weight", "BASE"),
        ("input_blocks.0.0.weight", "IN00"),
        ("input_blocks.11.0.in_layers.0.weight", "IN11"),
        ("middle_block.1.proj_in.weight", "M00"),
        ("output_blocks.11.1.proj_in.weight", "OUT11"),
        ("out.2.weight", "OUT11"),
    ],
)
def test_the_block_of_a_tensor(tensor: str, block: str) -> None:
    assert labels_of(SD1).of[tensor] == block


def along(curve: str) -> list[float]:
    """Of the 25 blocks of SD 1."""
    labels, ratios = labels_of(SD1), Ratios(1.0, curve).each(SD1)
    return [next(ratios[name] for name in SD1 if labels.of[name] == block) for block in labels.blocks[1:]]


@pytest.mark.parametrize(
    ("curve", "shared"),
    [
        ("grad_v", [1 - n / 12 for n in range(13)] + [n / 12 for n in range(1, 13)]),
        ("grad_a", [n / 12 for n in range(13)] + [1 - n / 12 for n in range(1, 13)]),
        ("wrap08", [1, 0.75, 0.5, 0.25, *[0] * 17, 0.25, 0.5, 0.75, 1]),
        ("wrap12", [n / 6 for n in range(6, 0, -1)] + [0] * 13 + [n / 6 for n in range(1, 7)]),
        ("smoothstep", [0, 0.00506365740740741, 0.0196759259259259, 0.04296875]),
        ("cosine", [1, 0.995722430686905, 0.982962913144534]),
        ("flat", [1] * 25),
    ],
)
def test_curves_are_the_presets_people_share(curve: str, shared: list[float]) -> None:
    assert along(curve)[: len(shared)] == pytest.approx(shared, abs=1e-12)


@pytest.mark.parametrize("curve", CURVES)
def test_curves_stay_between_a_and_b(curve: str) -> None:
    assert all(0 <= value <= 1 for value in along(curve))


def test_the_last_rule_that_fits_counts() -> None:
    rules = parse_rules("IN00-IN02:0.1, *:attn2:0.7\nIN02:0.2, out*:0.3,")
    ratios = Ratios(0.5, rules=rules).each(SD1)
    assert ratios["input_blocks.0.0.weight"] == 0.1
    assert ratios["input_blocks.1.1.transformer_blocks.0.attn2.to_q.weight"] == 0.7
    assert ratios["input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight"] == 0.1
    assert ratios["input_blocks.2.1.transformer_blocks.0.attn2.to_q.weight"] == 0.2
    assert ratios["output_blocks.11.1.transformer_blocks.0.attn2.to_q.weight"] == 0.3
    assert ratios["middle_block.1.transformer_blocks.0.attn2.to_q.weight"] == 0.7
    assert ratios["middle_block.0.in_layers.0.weight"] == ratios["time_embed.0.weight"] == 0.5


@pytest.mark.parametrize("text", ["IN00", "IN00:x", ":0.5", "IN00:a:b:1", "IN00:nan"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected BLOCKS:RATIO"):
        parse_rules(text)


def test_blocks_that_are_not_there_are_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="no J05; it has BASE, IN00-IN11, M00, OUT00-OUT11"):
        Ratios(1.0, rules=parse_rules("J05:1")).each(SD1)
    with pytest.raises(ValueError, match="no IN20-IN25"):
        Ratios(1.0, rules=parse_rules("IN20-IN25:1")).each(SD1)
