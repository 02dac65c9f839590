"""Noise: the generator's published answers, and what a seed promises."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from diffusion.noise import NoiseRule, normal, per_item, philox, whole_batch

GOLDEN = json.loads(Path(__file__).with_name("golden").joinpath("noise.json").read_text())


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_known_answers_of_random123(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    assert tuple(philox(torch.tensor(counter)[:, None], key)[:, 0].tolist()) == words


def test_values_are_standard_normal() -> None:
    values = normal(5, range(1), 0, 1_000_000)[0].double()
    assert [float((values**power).mean()) for power in (1, 2, 3, 4)] == pytest.approx([0, 1, 0, 3], abs=0.02)
    assert 4.5 < float(values.abs().max()) < 7
    neighbours = float((values[1:] * values[:-1]).mean())
    assert abs(neighbours) < 0.005


def test_seed_means_the_same_noise_for_ever() -> None:
    head = per_item(7, (1, 4, 8, 8))(0).flatten()[:4]
    assert head.tolist() == pytest.approx([0.229708165, 0.651065230, 0.200414389, 0.388680249], abs=1e-6)


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 7, 9), (16, 5, 3)])
def test_an_item_of_a_batch_is_made_alone(shape: tuple[int, ...]) -> None:
    batch = per_item(3, (4, *shape))(2)
    count = batch[0].numel()
    for item in range(4):
        assert torch.equal(batch[item].flatten(), normal(3, range(item, item + 1), 2, count)[0])
    assert torch.equal(per_item(3, (2, *shape))(2), batch[:2])


@pytest.mark.parametrize("rule", [per_item, whole_batch])
def test_items_taken_out_of_a_batch_keep_their_noise(rule: NoiseRule) -> None:
    """That of ComfyUI only where an item has a multiple of 16 values, as there."""
    whole = rule(3, (4, 4, 8, 8))(0)
    assert torch.equal(rule(3, (2, 4, 8, 8), (3, 1))(0), whole[[3, 1]])


def test_a_run_that_goes_on_draws_what_comes_next() -> None:
    noise, later = per_item(3, (2, 5)), per_item(3, (2, 5), None, 4)
    assert torch.equal(later(1), noise(5))
    assert torch.equal(later(0), noise(0))


def test_seed_item_and_draw_all_matter() -> None:
    seeds = (0, 1, 2**32, 2**63, 2**64 - 1)
    noises = [normal(seed, range(3), draw, 16)[item] for seed in seeds for draw in (0, 1) for item in range(3)]
    assert len({tuple(noise.tolist()) for noise in noises}) == len(noises)


@pytest.mark.parametrize("key", GOLDEN)
def test_whole_batch_is_the_recorded_noise_of_comfyui(key: str) -> None:
    shape, seed = key.split("/")
    noise = whole_batch(int(seed), tuple(int(n) for n in shape.strip("()").split(",")))(0)
    assert noise.flatten()[:6].tolist() == pytest.approx(GOLDEN[key]["head"], abs=1e-6)
    assert hashlib.sha256(noise.numpy().tobytes()).hexdigest()[:16] == GOLDEN[key]["sha"]


def test_whole_batch_steps_draw_from_the_next_seed() -> None:
    generator = torch.Generator().manual_seed(6)
    first, second = torch.randn(2, 3, generator=generator), torch.randn(2, 3, generator=generator)
    noise = whole_batch(5, (2, 3))
    assert whole_batch(2**64 - 1, (2, 3))(1).isfinite().all()
    assert torch.equal(noise(2), second)
    assert torch.equal(noise(1), first)
