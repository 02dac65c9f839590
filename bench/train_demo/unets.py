"""U-Nets in training: the plain one, one that paints into pictures, one that a ControlNet steers, and a LoRA of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.train_demo.loop import Batch
from bench.train_demo.pool import Latents
from bench.train_demo.text_tower import TextTower
from diffusion import hints
from diffusion.hooks import Hooks
from diffusion.networks.controlnet import ControlUNet
from diffusion.networks.unet import UNet, UNetParams
from diffusion.patches.names import layers_of
from diffusion.prediction import Eps
from diffusion.regions import sized

TEXT_WIDTH, TEXT_LAYERS = 64, 6
PARAMS = UNetParams(
    channels=128,
    multipliers=(1, 1),
    res_blocks=(1, 1),
    depths_down=(0, 1),
    depth_mid=1,
    depths_up=(1, 1, 0, 0),
    context_dim=TEXT_WIDTH,
    linear_projection=False,
    heads=8,
)
INPAINT_PARAMS = replace(PARAMS, in_channels=9)
EDGES = 0.1, 0.2  # thresholds of Canny's edges, as the node has them
HEAVIEST = 100.0  # bound of a noise level's weight
SEED = 47


class Painter(nn.Module):
    """Text tower and U-Net as one, from clean latents and token ids to the loss."""

    params = PARAMS

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(SEED)
        self.text = TextTower(TEXT_WIDTH, TEXT_LAYERS)
        self.text.initialise(torch.Generator().manual_seed(SEED))
        self.unet = UNet(self.params)
        for name, module in self.unet.named_modules():
            if name.endswith(("proj_out", "out_layers.3", "out.2")):  # every branch starts as nothing
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)
        self.register_buffer("levels", Eps().sigmas.float())

    def take_over(self, unet: Mapping[str, Tensor]) -> None:
        """Start with the weights of a trained plain U-Net."""
        self.unet.load_state_dict(unet)

    def drawn(self, z_BCHW: Tensor, *extra_and_ids: Tensor) -> Batch:
        """Latents, noise and timesteps before what else there is."""
        z = z_BCHW.float().contiguous(memory_format=torch.channels_last)
        return z, torch.randn_like(z), self.draw_levels(z), *extra_and_ids

    def forward(self, z_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor, *extra_and_ids: Tensor) -> Tensor:
        """Squared error of the noise, weighted to that of the noise less the clean latent."""
        *extra, ids_BL = extra_and_ids
        sigma = self.levels[t_B][:, None, None, None]
        x = (z_BCHW + sigma * noise_BCHW) * (sigma.square() + 1).rsqrt()
        output = self.predict(x, t_B.float(), self.text.last(ids_BL), *extra)
        weight = (1 + sigma).square().clamp(max=HEAVIEST)
        return (weight * (output.float() - noise_BCHW).square()).mean()

    def predict(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor) -> Tensor:
        return self.unet(x_BCHW, t_B, context_BLD)

    def draw_levels(self, z_BCHW: Tensor) -> Tensor:
        """Timesteps: sigma / (1 + sigma) mostly logit-normal about the middle, a sixth of all timesteps alike."""
        normal, uniform = torch.randn_like(z_BCHW[:, 0, 0, 0]), torch.rand_like(z_BCHW[:, 0, 0, 0])
        pick = torch.rand_like(uniform) < 1 / 6
        last = len(self.levels) - 1
        learnt = torch.searchsorted(self.levels, torch.exp(0.2 + 1.2 * normal)).clamp(max=last)
        return torch.where(pick, (uniform * last).round().long(), learnt)


class Inpainter(Painter):
    """The U-Net also sees a mask and the picture around it."""

    params = INPAINT_PARAMS

    def take_over(self, unet: Mapping[str, Tensor]) -> None:
        first = "input_blocks.0.0.weight"
        more = self.params.in_channels - unet[first].shape[1]
        self.unet.load_state_dict({**unet, first: nn.functional.pad(unet[first], (0, 0, 0, 0, 0, more))})

    def predict(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, beside_BCHW: Tensor) -> Tensor:
        return self.unet(torch.cat([x_BCHW, beside_BCHW.to(x_BCHW)], 1), t_B, context_BLD)


class Controlled(Painter):
    """A ControlNet learns, the U-Net stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.control = ControlUNet(self.params, hint_channels=3)

    def take_over(self, unet: Mapping[str, Tensor]) -> None:
        super().take_over(unet)
        self.unet.requires_grad_(False)
        own = self.control.state_dict()
        self.control.load_state_dict({**own, **{name: unet[name] for name in own.keys() & unet.keys()}})
        for layer in (self.control.input_hint_block[-1], *self.control.zero_convs, self.control.middle_block_out):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def predict(self, x_BCHW: Tensor, t_B: Tensor, context_BLD: Tensor, hint_B1HW: Tensor) -> Tensor:
        embedded = self.control.embed(hint_B1HW.to(x_BCHW).expand(-1, 3, -1, -1))
        residuals = self.control(x_BCHW, t_B, context_BLD, None, embedded)
        return self.unet(x_BCHW, t_B, context_BLD, None, Hooks(residuals=residuals))


@dataclass(frozen=True)
class Edges:
    """Latents, and the picture's edges B 1 H W as 0 or 1."""

    latents: Latents

    def __call__(self, x_B3HW: Tensor) -> Batch:
        return *self.latents(x_B3HW), hints.canny((x_B3HW + 1) / 2, *EDGES).to(torch.uint8)


@dataclass(frozen=True)
class Holes:
    """Latents, and what an inpainting network sees beside them of the picture around a random rectangle."""

    latents: Latents

    def __call__(self, x_B3HW: Tensor) -> Batch:
        mask_BHW = rectangles(x_B3HW)
        (around,) = self.latents(torch.where(mask_BHW[:, None] > 0, 0.0, x_B3HW))
        mask = sized(mask_BHW, *around.shape[2:])[:, None].round()
        return *self.latents(x_B3HW), torch.cat([mask.to(around), around], 1)


def rectangles(x_B3HW: Tensor) -> Tensor:
    """Masks B H W, 1 in rectangles of 0.3 to 1.3 of the sides about any place, of which the picture cuts off some."""
    inside = []
    for side in x_B3HW.shape[2:]:
        middle, size = torch.rand(2, len(x_B3HW), 1, device=x_B3HW.device)
        along = (torch.arange(side, device=x_B3HW.device) + 0.5) / side
        inside.append((along - middle).abs() < (0.3 + size) / 2)
    return (inside[0][:, :, None] & inside[1][:, None]).float()


class LowRank(nn.Module):
    """A weight plus the product of two narrow matrices, the second of which starts as nothing."""

    def __init__(self, weight: Tensor, rank: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, weight[0].numel(), device=weight.device) / weight[0].numel() ** 0.5)
        self.up = nn.Parameter(torch.zeros(len(weight), rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.up @ self.down).view_as(weight)


def add_low_rank(painter: Painter, rank: int) -> None:
    """Make low-rank changes of the U-Net's transformers and residual blocks all there is to learn."""
    painter.requires_grad_(False)
    torch.manual_seed(SEED)
    for name, module in painter.unet.named_modules():
        inside = "transformer_blocks." in name or name.endswith(("proj_in", "proj_out", "in_layers.2", "out_layers.3"))
        if inside and isinstance(module, nn.Linear | nn.Conv2d):
            parametrize.register_parametrization(module, "weight", LowRank(module.weight, rank))


def low_rank_tensors(unet: UNet) -> dict[str, Tensor]:
    """The changes as kohya's trainer names them, by the layers' names in diffusers; float16."""
    with torch.device("meta"):
        plain = UNet(unet.params)
    names = {
        target.layer: name
        for name, target in layers_of(plain).items()
        if name.startswith(("down_blocks", "mid_block", "up_blocks")) and not name.endswith("to_out")
    }
    tensors = {}
    for layer, module in unet.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        change, weight = module.parametrizations["weight"][0], module.weight
        name, rank = f"lora_unet_{names[layer]}", len(change.down)
        tensors[f"{name}.lora_down.weight"] = change.down.detach().view(rank, *weight.shape[1:])
        tensors[f"{name}.lora_up.weight"] = change.up.detach().view(len(weight), rank, *(1,) * (weight.ndim - 2))
        tensors[f"{name}.alpha"] = torch.tensor(float(rank))
    return {name: tensor.half().contiguous() for name, tensor in tensors.items()}
