"""Train text tower and U-Net: `python -m bench.train_demo.train_unet --autoencoder A --state S --out DIR`.

The U-Net of Stable Diffusion 1's layout predicts the noise in latents of freshly composed scenes. A run lasts
`--seconds` and leaves `--state`, from which the next one goes on until `--total` seconds of training are done. With
`--start-from` and `--fixed-text` a trained one learns another style (`--sprites`); with `--lora` only low-rank changes
of its layers are learnt. Each run writes its averaged weights and a contact sheet.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize

from bench.train_demo import captions as caption
from bench.train_demo import vocabulary
from bench.train_demo.captions import Phrases
from bench.train_demo.optimiser import Average, Optimiser, Run, rate_factor
from bench.train_demo.parallel import Group
from bench.train_demo.pool import Pool
from bench.train_demo.scenes import Sprites
from bench.train_demo.text_tower import TextTower
from bench.train_demo.train_autoencoder import SD15_PARAMS, TELL
from bench.train_demo.train_painter import SHEET, save_sheet
from diffusion.latents import SD15
from diffusion.networks.autoencoder import Autoencoder
from diffusion.networks.unet import UNet, UNetParams
from diffusion.patches.names import layers_of
from diffusion.prediction import Eps
from diffusion.schedules import sigmas
from diffusion.text.tokenizer import clip_tokenizer
from diffusion.weights import Weights

TEXT_WIDTH, TEXT_LAYERS = 128, 4
PARAMS = UNetParams(
    channels=64,
    multipliers=(1, 3),
    res_blocks=(1, 1),
    depths_down=(0, 1),
    depth_mid=1,
    depths_up=(1, 1, 0, 0),
    context_dim=TEXT_WIDTH,
    linear_projection=False,
    heads=8,
)
BATCH = 1024
RATE = 2e-3
SHARES = 0.35, 0.25  # of pairs, and of counts, sizes and places
CHINESE_SHARE = 0.2
POOL, REFRESH = 1 << 17, 1024  # latents kept by each process, and how many of them TELL steps replace
HEAVIEST = 100.0  # bound of a noise level's weight
WARM, DECAY_FROM = 0.01, 0.5
SEED = 47
PROMPTS = (
    *SHEET[:16],
    "two foxes on blue background",
    "three red apples on white background",
    "four pizzas on green background",
    "a small cat face on yellow background",
    "a rocket in the top left corner on black background",
    "a bee on the right on pink background",
    "a big avocado on brown background",
    "an octopus at the bottom on teal background",
    "狐狸，蓝色背景",
    "左边狗脸，右边猫脸，白色背景",
    "三个苹果，粉色背景",
    "独角兽",
    *SHEET[24:28],
)


class Painter(nn.Module):
    """Both networks as one, from token ids and clean latents to the loss."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(SEED)
        self.text = TextTower(TEXT_WIDTH, TEXT_LAYERS)
        self.text.initialise(torch.Generator().manual_seed(SEED))
        self.unet = UNet(PARAMS)
        for name, module in self.unet.named_modules():
            if name.endswith(("proj_out", "out_layers.3", "out.2")):  # every branch starts as nothing
                nn.init.zeros_(module.weight)
                nn.init.zeros_(module.bias)
        self.register_buffer("levels", Eps().sigmas.float())

    def forward(self, z_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor, ids_BL: Tensor) -> Tensor:
        """Squared error of the noise, weighted to that of the noise less the clean latent."""
        sigma = self.levels[t_B][:, None, None, None]
        x = (z_BCHW + sigma * noise_BCHW) * (sigma.square() + 1).rsqrt()
        output = self.unet(x, t_B.float(), self.text.last(ids_BL))
        weight = (1 + sigma).square().clamp(max=HEAVIEST)
        return (weight * (output.float() - noise_BCHW).square()).mean()

    def draw_levels(self, count: int, generator: torch.Generator) -> Tensor:
        """Timesteps: sigma / (1 + sigma) mostly logit-normal about the middle, a sixth of all timesteps alike."""
        normal = torch.randn(count, generator=generator, device=generator.device)
        uniform = torch.rand(count, generator=generator, device=generator.device)
        pick = torch.rand(count, generator=generator, device=generator.device) < 1 / 6
        last = len(self.levels) - 1
        learnt = torch.searchsorted(self.levels, torch.exp(0.2 + 1.2 * normal)).clamp(max=last)
        return torch.where(pick, (uniform * last).round().long(), learnt)


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
    """The changes as kohya's trainer names them, by the layers' names in diffusers."""
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
    return tensors


def split(painter: Painter) -> tuple[list[tuple[nn.Parameter, int]], list[nn.Parameter]]:
    """Matrices and convolutions inside the blocks for Muon (value and gate apart), all else for AdamW."""
    matrices, others = [], []
    for name, parameter in painter.named_parameters():
        if not parameter.requires_grad:
            continue
        inside = "_block" in name or ".layers." in name
        at_an_end = any(part in name for part in ("input_blocks.0.", "emb_layers.", "parametrizations"))
        if inside and parameter.ndim >= 2 and not at_an_end:
            matrices.append((parameter, 2 if ".ff.net.0." in name else 1))
        else:
            others.append(parameter)
    return matrices, others


def train(run: Run, pool: Pool, phrases: Phrases, options: argparse.Namespace, group: Group) -> None:
    """Train until the time is over; TELL steps at a time draw their scenes and captions together."""
    device, painter = group.device, run.painter
    generator = torch.Generator(device).manual_seed(SEED + run.step + 1000 * group.rank)
    step = Step(run, group, device.type == "cuda")
    batches = pool.batches(TELL * options.batch)
    before, spent, reported, shown, start = run.elapsed, 0.0, 0.0, run.step, None
    while spent < options.seconds and before + spent < options.total:
        z, drawn = next(batches)
        ids = phrases.assemble(caption.draw(drawn, phrases, generator, CHINESE_SHARE))
        t = painter.draw_levels(len(z), generator)
        factor = rate_factor((before + spent) / options.total, WARM, DECAY_FROM)
        for part in zip(z.split(options.batch), t.split(options.batch), ids.split(options.batch)):
            step(*part, generator, factor)
            start = start or time.monotonic()  # compiling and filling the pool do not count
        spent = group.mean(time.monotonic() - start)
        if group.mean(time.time()) > options.by:
            break
        if spent - reported > 15:
            reported = spent
            group.align(painter)
            if group.rank == 0:
                loss = step.loss_sum.item() / (run.step - shown)
                print(f"unet {before + spent:5.0f} s step {run.step} loss {loss:.4f}", flush=True)
            shown = run.step
            step.loss_sum.zero_()
    group.align(painter)
    run.elapsed = before + spent


class Step:
    """One step of training, the sum of losses kept."""

    def __init__(self, run: Run, group: Group, on_gpu: bool) -> None:
        self.run, self.group, self.on_gpu = run, group, on_gpu
        self.network = torch.compile(run.painter, dynamic=False) if on_gpu else run.painter
        self.learnt = [parameter for parameter in run.painter.parameters() if parameter.requires_grad]
        self.loss_sum = torch.zeros((), device=group.device)

    def __call__(self, z_BCHW: Tensor, t_B: Tensor, ids_BL: Tensor, generator: torch.Generator, factor: float) -> None:
        z = z_BCHW.contiguous(memory_format=torch.channels_last)
        noise = torch.randn(z.shape, generator=generator, device=z.device)
        noise = noise.contiguous(memory_format=torch.channels_last)
        with torch.autocast(z.device.type, torch.bfloat16, enabled=self.on_gpu):
            loss = self.network(z, noise, t_B, ids_BL)
        loss.backward()
        self.group.average_gradients(self.learnt)
        nn.utils.clip_grad_norm_(self.learnt, 1.0)
        self.run.optimiser.step(factor)
        self.run.average.update()
        self.run.step += 1
        self.loss_sum += loss.detach()


@torch.no_grad()
def leave(run: Run, autoencoder: Autoencoder, options: argparse.Namespace, device: torch.device) -> None:
    """Write the averaged weights, each network in a file of its own, and a contact sheet of them."""
    run.average.swap()
    painter = run.painter
    parts = {"lora": low_rank_tensors(painter.unet)} if options.lora else {"unet": painter.unet.state_dict()}
    if not options.fixed_text:
        parts["text"] = painter.text.state_dict()
    for name, tensors in parts.items():
        tensors = {key: tensor.half().contiguous() for key, tensor in tensors.items()}
        save_file(tensors, options.out / f"{name}.safetensors")
    save_sheet(paint(painter, autoencoder, PROMPTS, 28, 4.0, device), options.out / f"sheet-{run.step:06d}.png")
    run.average.swap()


@torch.no_grad()
def paint(
    painter: Painter, autoencoder: Autoencoder, prompts: tuple[str, ...], steps: int, cfg: float, device: torch.device
) -> Tensor:
    """Pictures B 3 H W in -1..1: Euler on the family's own schedule, in full precision."""
    tokenize, prediction = clip_tokenizer(), Eps()
    rows = [[caption.BEGIN, *tokenize(text)] for text in ("", *prompts)]
    ids = torch.tensor([row + [caption.END] * (caption.LENGTH - len(row)) for row in rows], device=device)
    context = painter.text.last(torch.cat([ids[1:], ids[:1].expand(len(prompts), -1)]))
    levels = sigmas("normal", prediction, steps)
    x = torch.randn(len(prompts), 4, 16, 16, generator=torch.Generator().manual_seed(SEED)).to(device)
    x = x * (1 + levels[0] ** 2) ** 0.5
    for level, lower in pairwise(levels):
        t = torch.full((2 * len(prompts),), prediction.timestep(level), device=device)
        towards, away = painter.unet(prediction.scale_input(x, level).repeat(2, 1, 1, 1), t, context).chunk(2)
        x = x + (lower - level) * (away + cfg * (towards - away))
    return autoencoder.decode(SD15.process_out(x))


def read_text(path: Path) -> dict[str, Tensor]:
    """A text tower of this width out of a checkpoint of another family."""
    part = Weights.open(path).with_prefix("text_encoders.clip_l.transformer.")
    return {name: part[name].float() for name in part}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=560, help="of this run")
    parser.add_argument("--by", type=float, default=float("inf"), help="time of day, in seconds of Unix, to end by")
    parser.add_argument("--total", type=float, default=600, help="seconds of the whole training")
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--text", type=Path, help="checkpoint whose text tower to begin with")
    parser.add_argument(
        "--start-from", type=Path, help="folder with unet and text to begin with where there is no state"
    )
    parser.add_argument("--start-at", type=float, default=0, help="seconds of training those have had")
    parser.add_argument("--fixed-text", action="store_true", help="leave the text tower as it is")
    parser.add_argument("--sprites", type=Path, default=vocabulary.SPRITES)
    parser.add_argument("--lora", type=int, default=0, help="rank of the changes to learn, 0 to learn all weights")
    parser.add_argument("--state", type=Path, required=True, help="file to go on from, and to leave for the next run")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=BATCH, help="of each process")
    parser.add_argument("--pool", type=int, default=POOL)
    parser.add_argument("--chunk", type=int, default=1024, help="pictures encoded at a time to fill the pool")
    parser.add_argument("--rate", type=float, default=RATE)
    options = parser.parse_args()
    group = Group.join(options.device)
    device = group.device
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.benchmark = True
    options.out.mkdir(parents=True, exist_ok=True)

    autoencoder = Autoencoder(SD15_PARAMS).requires_grad_(False)
    autoencoder.load_state_dict({name: tensor.float() for name, tensor in load_file(options.autoencoder).items()})
    autoencoder = autoencoder.eval().to(device, memory_format=torch.channels_last)
    painter = Painter()
    if options.text:
        painter.text.load_state_dict(read_text(options.text))
    if options.start_from:
        for network, name in ((painter.unet, "unet"), (painter.text, "text")):
            weights = load_file(options.start_from / f"{name}.safetensors")
            network.load_state_dict({key: tensor.float() for key, tensor in weights.items()})
    painter.text.requires_grad_(not options.fixed_text)
    painter = painter.to(device, memory_format=torch.channels_last)
    if options.lora:
        add_low_rank(painter, options.lora)
    run = Run(painter, Optimiser(*split(painter), options.rate), Average(painter, 0.9995), options.start_at)
    if options.state.exists():
        run.resume(options.state, device)
    generator = torch.Generator(device).manual_seed(SEED + 1 + run.step + 1000 * group.rank)
    sprites = Sprites.read(device, options.sprites)
    pool = Pool(sprites, autoencoder, SD15, generator, options.pool, options.chunk, *SHARES, REFRESH)
    train(run, pool, caption.build(vocabulary.load(), clip_tokenizer()).to(device), options, group)
    if group.rank == 0:
        leave(run, autoencoder, options, device)
        torch.save(run.state(), options.state)
        print(f"unet: {run.elapsed:.0f} of {options.total:.0f} s, {run.step} steps of {group.size} x {options.batch}")
    group.leave()


if __name__ == "__main__":
    main()
