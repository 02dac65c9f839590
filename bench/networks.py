"""Parameters, floating-point operations and bytes of the published networks, counted on the meta device.

`python -m bench.networks`. One denoising step with guidance (batch 2; Flux and decoders alone), against an independent
count over the reference implementations. Matrix products and convolutions are counted, element by element work is not;
one multiply-add is two operations. Bytes in half precision: weights once, and what layers that are modules read and
write beside them; the reference has more activations and norms as modules, so its bytes are more. Floors: those
operations at 790 TFLOP/s, those bytes at 4.3 TB/s, an H200's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from diffusion.networks.autoencoder import Autoencoder
from diffusion.networks.dit import DiT
from diffusion.networks.flux import Flux
from diffusion.networks.mmdit import MMDiT
from diffusion.networks.pixart import PixArt
from diffusion.networks.unet import UNet
from tests.diffusion.networks import published

GUIDED = 2
HALF = 2  # bytes
OPERATIONS, BYTES = 790e12, 4.3e12  # a second


class Case(NamedTuple):
    """`reference`: TFLOP and GB of activations counted over the reference; None where nobody did."""

    name: str
    network: nn.Module
    call: Callable[[], Tensor]
    reference: tuple[float | None, float | None]


def step(
    network: nn.Module, shape: tuple[int, int], context: tuple[int, int], y_dim: int | None, batch: int = GUIDED
) -> Callable[[], Tensor]:
    """`shape`: channels and side of the latents. `context`: tokens and their width."""
    channels, side = shape
    x, t, text = torch.empty(batch, channels, side, side), torch.empty(batch), torch.empty(batch, *context)
    y = None if y_dim is None else torch.empty(batch, y_dim)
    return lambda: network(x, t, text, y)


def decode(network: Autoencoder, side: int) -> Callable[[], Tensor]:
    z = torch.empty(1, network.params.latent_channels, side, side)
    return lambda: network.decode(z)


@contextmanager
def counted(network: nn.Module) -> Iterator[list[int]]:
    """The numbers that layers without parts of their own read and write."""
    values: list[int] = []

    def hook(_layer: nn.Module, given: tuple[object, ...], made: object) -> None:
        values.extend(tensor.numel() for tensor in (*given, made) if isinstance(tensor, Tensor))

    hooks = [layer.register_forward_hook(hook) for layer in network.modules() if not any(layer.children())]
    yield values
    for handle in hooks:
        handle.remove()


def report(case: Case) -> None:
    parameters = sum(parameter.numel() for parameter in case.network.parameters())
    with FlopCounterMode(display=False) as counter, counted(case.network) as values, torch.no_grad():
        case.call()
    tera = counter.get_total_flops() / 1e12
    weights, activations = HALF * parameters / 1e9, HALF * sum(values) / 1e9
    floors = 1e15 * tera / OPERATIONS, 1e12 * (weights + activations) / BYTES
    ratios = [
        "     -" if known is None else f"{found / known:6.3f}"
        for found, known in zip((tera, activations), case.reference, strict=True)
    ]
    print(
        f"{case.name:24} {parameters / 1e6:9.1f} M {tera:8.3f} TFLOP ({ratios[0]}) {weights:6.2f} GB weights "
        f"{activations:6.1f} GB activations ({ratios[1]})   floors {floors[0]:6.2f} ms {floors[1]:6.2f} ms"
    )


def cases() -> Iterator[Case]:
    for name, params, side, known in (
        ("SD1.5 512x512", published.SD1_5, 64, (1.607, 3.3)),
        ("SD1.5 inpainting 512x512", published.SD1_5_INPAINT, 64, (None, None)),
        ("InstructPix2Pix 512x512", published.SD1_5_EDIT, 64, (None, None)),
        ("SD2.1 768x768", published.SD2_1, 96, (None, None)),
        ("SDXL 1024x1024", published.SDXL, 128, (13.52, 23.1)),
        ("SDXL inpaint 1024x1024", published.SDXL_INPAINT, 128, (None, None)),
        ("SDXL refiner 1024x1024", published.SDXL_REFINER, 128, (None, None)),
    ):
        unet = UNet(params)
        yield Case(name, unet, step(unet, (params.in_channels, side), (77, params.context_dim), params.y_dim), known)
    for name, params, known in (
        ("SD3 medium 1024x1024", published.SD3_MEDIUM, (16.88, 20.1)),
        ("SD3.5 medium 1024x1024", published.SD3_5_MEDIUM, (21.57, 27.2)),
        ("SD3.5 large 1024x1024", published.SD3_5_LARGE, (59.19, 56.6)),
    ):
        mmdit = MMDiT(params)
        yield Case(name, mmdit, step(mmdit, (16, 128), (154, params.context_dim), params.y_dim), known)
    for name, params, y_dim, known in (
        ("Flux dev 1024x1024", published.FLUX_DEV, 769, (69.5, 49.8)),
        ("Flux schnell 1024x1024", published.FLUX_SCHNELL, 768, (None, None)),
    ):
        flux = Flux(params)
        yield Case(name, flux, step(flux, (16, 128), (256, 4096), y_dim, batch=1), known)
    for name, params, y_dim, known in (
        ("PixArt-alpha 1024x1024", published.PIXART_ALPHA, 3, (None, None)),
        ("PixArt-Sigma 1024x1024", published.PIXART_SIGMA, None, (13.27, 20.3)),
    ):
        pixart = PixArt(params)
        yield Case(name, pixart, step(pixart, (4, 128), (params.tokens or 0, 4096), y_dim), known)
    for name, params in published.DIT.items():
        dit = DiT(params)
        known = (0.475 if name == "DiT-XL/2" else None, None)
        yield Case(f"{name} 256x256", dit, step(dit, (4, 32), (1, 2), None), known)
    dit = DiT(published.DIT_XL_2_512)
    yield Case("DiT-XL/2 512x512", dit, step(dit, (4, 64), (1, 2), None), (2.10, None))
    for name, params, side, known in (
        ("SD1 decoder 512x512", published.SD1_AUTOENCODER, 64, (2.5, 6.9)),
        ("SD3 decoder 1024x1024", published.SD3_AUTOENCODER, 128, (10.5, 27.4)),
    ):
        autoencoder = Autoencoder(params)
        yield Case(name, autoencoder, decode(autoencoder, side), known)


def main() -> None:
    with torch.device("meta"):
        for case in cases():
            report(case)


if __name__ == "__main__":
    main()
