"""Train text tower and MMDiT together: `python -m bench.train_demo.train_painter --total 1500 --seconds 560 --out DIR`.

Rectified flow on latents of freshly composed scenes. A run lasts `--seconds` and leaves `state.pt` in `--state`, from
which the next one goes on until `--total` seconds of training are done; learning rate and caption length follow the
share of the total. Every run writes the averaged weights (`painter.safetensors`) and a contact sheet.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from bench.train_demo import captions as caption
from bench.train_demo import vocabulary
from bench.train_demo.captions import Phrases
from bench.train_demo.optimiser import Average, Optimiser, Run, rate_factor
from bench.train_demo.pool import Pool
from bench.train_demo.scenes import Sprites
from bench.train_demo.text_tower import TextTower
from bench.train_demo.train_autoencoder import PARAMS as AUTOENCODER
from diffusion.latents import SD3
from diffusion.networks.autoencoder import Autoencoder
from diffusion.networks.mmdit import MMDiT, MMDiTParams
from diffusion.prediction import Flow
from diffusion.schedules import sigmas
from diffusion.text.tokenizer import clip_tokenizer
from diffusion.weights import Weights

TEXT_WIDTH, TEXT_LAYERS = 128, 4
PARAMS = MMDiTParams(depth=5, width=320, context_dim=TEXT_WIDTH, y_dim=TEXT_WIDTH, positions=16, qk_norm=True)
BATCH = 1024
RATE = 2e-3
PAIR_SHARE = 0.4
POOL = 1 << 18  # latents kept
SHORT, SHORT_UNTIL = 32, 0.55  # captions are at most 32 tokens: their padding to 77 is left out for the first part
WARM, DECAY_FROM = 0.01, 0.55
SEED = 31
SHEET = (
    "a red apple on white background",
    "cat face on yellow background",
    "a rocket on black background",
    "a dog face left of a cat face on white background",
    "red heart above pizza on blue background",
    "a sailboat on blue background",
    "locomotive on green background",
    "birthday cake on pink background",
    "sun left of crescent moon on black background",
    "hamburger on orange background",
    "panda on green background",
    "a penguin on blue background",
    "rose on white background",
    "soccer ball above trophy on green background",
    "robot on gray background",
    "jack-o-lantern on purple background",
    "a fox on teal background",
    "unicorn right of rainbow on white background",
    "smiling face with sunglasses on yellow background",
    "avocado on brown background",
    "octopus below a fish on blue background",
    "guitar",
    "woman scientist on red background",
    "alarm clock",
    "a bee next to a sunflower on yellow background",
    "tiger face on black background",
    "castle on pink background",
    "violin left of trumpet on gray background",
    "globe showing Americas on black background",
    "a butterfly",
    "snowman above a Christmas tree on red background",
    "television on purple background",
)


class Painter(nn.Module):
    """Both networks as one, from token ids and clean latents to the loss."""

    def __init__(self) -> None:
        super().__init__()
        self.text = TextTower(TEXT_WIDTH, TEXT_LAYERS)
        self.mmdit = MMDiT(PARAMS)
        generator = torch.Generator().manual_seed(SEED)
        self.text.initialise(generator)
        self.mmdit.initialise(generator)

    def velocity(self, x_BCHW: Tensor, sigma_B: Tensor, ids_BL: Tensor) -> Tensor:
        context, pooled = self.text(ids_BL)
        return self.mmdit(x_BCHW, 1000 * sigma_B, context, pooled)

    def forward(self, z_BCHW: Tensor, noise_BCHW: Tensor, sigma_B: Tensor, ids_BL: Tensor) -> Tensor:
        """Mean squared error of the velocity."""
        sigma = sigma_B[:, None, None, None]
        output = self.velocity(torch.lerp(z_BCHW, noise_BCHW, sigma), sigma_B, ids_BL)
        return F.mse_loss(output.float(), noise_BCHW - z_BCHW)


def split(painter: Painter) -> tuple[list[tuple[nn.Parameter, int]], list[nn.Parameter]]:
    """Matrices inside the blocks for Muon (a fused qkv as three), all else for AdamW."""
    matrices, others = [], []
    for name, parameter in painter.named_parameters():
        inside = "joint_blocks." in name or ".layers." in name
        if inside and parameter.ndim == 2 and "adaLN" not in name:
            matrices.append((parameter, 3 if ".qkv." in name else 1))
        else:
            others.append(parameter)
    return matrices, others


def noise_levels(count: int, generator: torch.Generator) -> Tensor:
    """Mostly logit-normal about the middle, drawn a little towards noise; a sixth uniform, to know both ends."""
    normal = torch.randn(count, generator=generator, device=generator.device)
    uniform = torch.rand(count, generator=generator, device=generator.device)
    pick = torch.rand(count, generator=generator, device=generator.device) < 1 / 6
    return torch.where(pick, uniform, torch.sigmoid(0.3 + 1.1 * normal))


def train(run: Run, pool: Pool, phrases: Phrases, options: argparse.Namespace, device: torch.device) -> None:
    generator = torch.Generator(device).manual_seed(SEED + run.step)
    on_gpu = device.type == "cuda"
    compiled = torch.compile(run.painter, dynamic=False) if on_gpu else run.painter
    before, total, loss_sum, shown = run.elapsed, options.total, torch.zeros((), device=device), run.step
    batches = pool.batches(options.batch)
    z, _ = next(batches)  # fills the pool, before the clock starts
    warm_up(run.painter, compiled, z, on_gpu)
    start, reported = time.monotonic(), 0.0
    while (spent := time.monotonic() - start) < options.seconds and before + spent < total:
        done = (before + spent) / total
        z, drawn = next(batches)
        ids = phrases.assemble(caption.draw(drawn, phrases, generator))
        ids = (ids[:, :SHORT] if done < SHORT_UNTIL else ids).contiguous()
        noise = torch.randn(z.shape, generator=generator, device=device)
        sigma = noise_levels(len(z), generator)
        with torch.autocast(device.type, torch.bfloat16, enabled=on_gpu):
            loss = compiled(z, noise, sigma, ids)
        loss.backward()
        nn.utils.clip_grad_norm_(run.painter.parameters(), 1.0)
        run.optimiser.step(rate_factor(done, WARM, DECAY_FROM))
        run.average.update()
        run.step += 1
        loss_sum += loss.detach()
        if spent - reported > 15:
            reported = spent
            print(
                f"painter {before + spent:5.0f} s step {run.step} loss {loss_sum.item() / (run.step - shown):.4f}",
                flush=True,
            )
            shown, loss_sum = run.step, torch.zeros((), device=device)
            if options.sheet_every and int(spent / options.sheet_every) > int((spent - 15) / options.sheet_every):
                leave(run, pool.autoencoder, options.out, device)
    run.elapsed = before + time.monotonic() - start


def warm_up(painter: Painter, compiled: nn.Module, z_BCHW: Tensor, on_gpu: bool) -> None:
    """Compile for both caption lengths, before the clock starts."""
    for length in (SHORT, caption.LENGTH) if on_gpu else ():
        ids = torch.full((len(z_BCHW), length), caption.END, device=z_BCHW.device)
        with torch.autocast("cuda", torch.bfloat16):
            compiled(z_BCHW, torch.randn_like(z_BCHW), z_BCHW.new_zeros(len(z_BCHW)), ids).backward()
    painter.zero_grad(set_to_none=True)


@torch.no_grad()
def leave(run: Run, autoencoder: Autoencoder, out: Path, device: torch.device) -> None:
    """Write the averaged weights and a contact sheet of them."""
    run.average.swap()
    weights = {key: value.half().contiguous() for key, value in run.painter.state_dict().items()}
    save_file(weights, out / "painter.safetensors")
    pictures = paint(run.painter, autoencoder, SHEET, 28, 4.0, device)
    run.average.swap()
    save_sheet(pictures, out / f"sheet-{run.step:06d}.png")


@torch.no_grad()
def paint(
    painter: Painter, autoencoder: Autoencoder, prompts: tuple[str, ...], steps: int, cfg: float, device: torch.device
) -> Tensor:
    """Pictures B 3 H W in -1..1: Euler on the family's own schedule, in full precision."""
    tokenize = clip_tokenizer()
    rows = [[caption.BEGIN, *tokenize(text)] for text in ("", *prompts)]
    ids = torch.tensor([row + [caption.END] * (caption.LENGTH - len(row)) for row in rows], device=device)
    ids = torch.cat([ids[1:], ids[:1].expand(len(prompts), -1)])
    x = torch.randn(len(prompts), 16, 16, 16, generator=torch.Generator().manual_seed(SEED)).to(device)
    levels = sigmas("normal", Flow(), steps, 1.0)
    for level, lower in pairwise(levels):
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            sigma = torch.full((2 * len(prompts),), level, device=device)
            towards, away = painter.velocity(x.repeat(2, 1, 1, 1), sigma, ids).float().chunk(2)
        x = x + (lower - level) * (away + cfg * (towards - away))
    return autoencoder.decode(SD3.process_out(x))


def save_sheet(pictures_B3HW: Tensor, path: Path, columns: int = 8) -> None:
    from PIL import Image  # noqa: PLC0415 (training itself does without it)

    colours = ((pictures_B3HW.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()
    grid = colours.unflatten(0, (-1, columns)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    Image.fromarray(grid.numpy()).save(path)


def read_autoencoder(path: Path) -> Autoencoder:
    """The autoencoder of `train_autoencoder`, or of an exported checkpoint."""
    weights = Weights.open(path)
    part = weights.with_prefix("first_stage_model.") or weights
    autoencoder = Autoencoder(AUTOENCODER)
    autoencoder.load_state_dict({name: part[name].float() for name in part})
    return autoencoder.eval()


def read_painter(painter: Painter, path: Path) -> None:
    """Fill both networks from an exported checkpoint."""
    weights = Weights.open(path)
    prefixes = ("model.diffusion_model.", "text_encoders.clip_l.transformer.")
    for network, prefix in zip((painter.mmdit, painter.text), prefixes):
        part = weights.with_prefix(prefix)
        network.load_state_dict({name: part[name].float() for name in network.state_dict()})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=560, help="of this run")
    parser.add_argument("--total", type=float, default=1500, help="seconds of the whole training")
    parser.add_argument("--autoencoder", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True, help="file to go on from, and to leave for the next run")
    parser.add_argument("--start-from", type=Path, help="exported checkpoint to begin with where there is no state")
    parser.add_argument("--start-at", type=float, default=0, help="seconds of training that checkpoint has had")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--pool", type=int, default=POOL)
    parser.add_argument("--chunk", type=int, default=1024, help="pictures encoded at a time to fill the pool")
    parser.add_argument("--rate", type=float, default=RATE)
    parser.add_argument("--sheet-every", type=float, default=0, help="seconds between sheets, 0 for the end only")
    options = parser.parse_args()
    device = torch.device(options.device)
    torch.set_float32_matmul_precision("high")
    torch.manual_seed(SEED)
    options.out.mkdir(parents=True, exist_ok=True)

    autoencoder = read_autoencoder(options.autoencoder).to(device, memory_format=torch.channels_last)
    painter = Painter().to(device)
    if options.start_from:
        read_painter(painter, options.start_from)
    run = Run(painter, Optimiser(*split(painter), options.rate), Average(painter, 0.9995), options.start_at)
    if options.state.exists():
        run.resume(options.state, device)
    generator = torch.Generator(device).manual_seed(SEED + 1 + run.step)
    pool = Pool(
        Sprites.read(device, vocabulary.SPRITES), autoencoder, SD3, generator, options.pool, options.chunk, PAIR_SHARE
    )
    phrases = caption.build(vocabulary.load(), clip_tokenizer()).to(device)
    train(run, pool, phrases, options, device)
    leave(run, autoencoder, options.out, device)
    torch.save(run.state(), options.state)
    print(f"painter: {run.elapsed:.0f} of {options.total:.0f} s, {run.step} steps of {options.batch}")


if __name__ == "__main__":
    main()
