"""Parameters and floating-point operations of the published networks, counted on the meta device.

`python -m bench.networks`. One denoising step with guidance (batch 2), or one decoded image. Matrix products and
convolutions are counted, element by element work is not; one multiply-add is two operations. The reference column is an
independent count over the reference implementations.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from diffusion.networks.autoencoder import Autoencoder
from diffusion.networks.mmdit import MMDiT
from diffusion.networks.unet import UNet
from tests.diffusion.networks import published

GUIDED = 2


def step(network: MMDiT | UNet, side: int, tokens: int) -> Callable[[], Tensor]:
    p = network.params
    x, t = torch.empty(GUIDED, p.in_channels, side, side), torch.empty(GUIDED)
    context = torch.empty(GUIDED, tokens, p.context_dim)
    y = None if p.y_dim is None else torch.empty(GUIDED, p.y_dim)
    return lambda: network(x, t, context, y)


def decode(network: Autoencoder, side: int) -> Callable[[], Tensor]:
    z = torch.empty(1, network.params.latent_channels, side, side)
    return lambda: network.decode(z)


def report(name: str, network: nn.Module, call: Callable[[], Tensor], reference: float) -> None:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    tera = counter.get_total_flops() / 1e12
    counted = f"{parameters / 1e6:9.1f} M {tera:8.3f} TFLOP"
    print(f"{name:24} {counted}   reference {reference:6.3f}   ratio {tera / reference:.3f}")


def main() -> None:
    with torch.device("meta"):
        for name, network, side, tokens, reference in (
            ("SD1.5 512x512", UNet(published.SD1_5), 64, 77, 1.607),
            ("SDXL 1024x1024", UNet(published.SDXL), 128, 77, 13.52),
            ("SD3 medium 1024x1024", MMDiT(published.SD3_MEDIUM), 128, 154, 16.88),
            ("SD3.5 medium 1024x1024", MMDiT(published.SD3_5_MEDIUM), 128, 154, 21.57),
            ("SD3.5 large 1024x1024", MMDiT(published.SD3_5_LARGE), 128, 154, 59.19),
        ):
            report(name, network, step(network, side, tokens), reference)
        for name, network, side, reference in (
            ("SD1 decoder 512x512", Autoencoder(published.SD1_AUTOENCODER), 64, 2.5),
            ("SD3 decoder 1024x1024", Autoencoder(published.SD3_AUTOENCODER), 128, 10.5),
        ):
            report(name, network, decode(network, side), reference)


if __name__ == "__main__":
    main()
