"""The published networks with random weights, one forward pass each on the CPU, beside diffusers in float32.

`python -m bench.full_size [sd15] [sd3]`. Prints the largest difference relative to the largest value, seconds of both
passes and the most memory the process held. On one of two busy CPU cores it printed

    SD1.5 512x512: 859.5 M, error 0.0e+00, 11.2 s, diffusers 25.5 s, 3.9 GiB
    SD3 medium 512x512: 2028.3 M, error 4.9e-07, 22.0 s, diffusers 19.3 s, 9.6 GiB
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import torch
from diffusers import SD3Transformer2DModel, UNet2DConditionModel
from torch import Tensor, nn

from diffusion.networks.mmdit import MMDiT
from diffusion.networks.unet import UNet
from tests.diffusion import keymaps
from tests.diffusion.networks import published
from tests.diffusion.networks.comparison import randomise, relative_error


def timed(call: Callable[[], Tensor]) -> tuple[Tensor, float]:
    start = time.perf_counter()
    with torch.no_grad():
        result = call()
    return result, time.perf_counter() - start


def report(name: str, ours: nn.Module, call: Callable[[], Tensor], reference: Callable[[], Tensor]) -> None:
    (got, seconds), (expected, their_seconds) = timed(call), timed(reference)
    parameters = sum(parameter.numel() for parameter in ours.parameters()) / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    error = relative_error(got, expected)
    print(
        f"{name}: {parameters:.1f} M, error {error:.1e}, {seconds:.1f} s, "
        f"diffusers {their_seconds:.1f} s, {peak:.1f} GiB"
    )


def sd15() -> None:
    torch.manual_seed(0)
    theirs = UNet2DConditionModel(
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        cross_attention_dim=768,
        attention_head_dim=8,
    ).eval()
    randomise(theirs, seed=1)
    with torch.device("meta"):
        ours = UNet(published.SD1_5)
    ours.load_state_dict(keymaps.unet(theirs.state_dict()), assign=True)
    x, t, context = torch.randn(1, 4, 64, 64), torch.tensor([500.0]), torch.randn(1, 77, 768)
    report("SD1.5 512x512", ours, lambda: ours(x, t, context), lambda: theirs(x, t, context).sample)


def sd3() -> None:
    torch.manual_seed(0)
    theirs = SD3Transformer2DModel(
        num_layers=24,
        num_attention_heads=24,
        joint_attention_dim=4096,
        caption_projection_dim=1536,
        pooled_projection_dim=2048,
        pos_embed_max_size=192,
    ).eval()
    randomise(theirs, seed=1)
    with torch.device("meta"):
        ours = MMDiT(published.SD3_MEDIUM)
    ours.load_state_dict(keymaps.mmdit(theirs.state_dict()), assign=True)
    x, t, context, y = (
        torch.randn(1, 16, 64, 64),
        torch.tensor([500.0]),
        torch.randn(1, 154, 4096),
        torch.randn(1, 2048),
    )
    report("SD3 medium 512x512", ours, lambda: ours(x, t, context, y), lambda: theirs(x, context, y, t).sample)


if __name__ == "__main__":
    for name in sys.argv[1:] or ("sd15", "sd3"):
        {"sd15": sd15, "sd3": sd3}[name]()
