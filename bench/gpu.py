"""Time of one denoising step with guidance, beside diffusers on the same GPU in the same run.

`python -m bench.gpu [--device cuda:0] [--steps N] [--rounds N] [--only NAME] [--profile] [--small]`. Full-size
networks with random weights, made on the device. Both sides take the same steps: the network on a batch of two,
guidance, a step of Euler. Rounds alternate between the two; printed are medians over all steps but each round's first,
from device events, and their ratio. `--small` shrinks the networks, for a run on the CPU. On an H200 it printed

    SD1.5        512²  Weft    20.43 ms (19.97-22.67)  diffusers    24.94 ms (24.33-27.92)  ratio 0.819
    SDXL         1024²  Weft    43.47 ms (43.14-47.62)  diffusers    59.80 ms (54.98-63.77)  ratio 0.727
    SD3 medium   1024²  Weft    48.60 ms (48.42-48.91)  diffusers    50.71 ms (50.00-51.58)  ratio 0.959
    SD3.5 large  1024²  Weft   153.66 ms (152.94-158.60)  diffusers   175.87 ms (175.20-177.04)  ratio 0.874
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import (
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor, nn

from diffusion import families
from diffusion.conditioning import Conditioning
from diffusion.model import Model
from diffusion.networks.mmdit import MMDiT
from diffusion.prediction import Eps, Flow
from diffusion.samplers import Step
from diffusion.sampling import sample
from tests.diffusion.networks.test_full_size import SIZES

GUIDANCE = 5.0
POOLED = {"SD1.5": None, "SDXL": 1280, "SD3 medium": 2048, "SD3.5 large": 2048}


@dataclass(frozen=True)
class Case:
    """One published network at a size of picture; `tokens` is the length of its text."""

    name: str
    pixels: int
    tokens: int
    dtype: torch.dtype

    @property
    def is_flow(self) -> bool:
        return SIZES[self.name].network is MMDiT


CASES = (
    Case("SD1.5", 512, 77, torch.float16),
    Case("SDXL", 1024, 77, torch.float16),
    Case("SD3 medium", 1024, 154, torch.float16),
    Case("SD3.5 large", 1024, 154, torch.bfloat16),
)


class Clock:
    """Marks on the device's own time line; on the CPU, on the clock."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._marks: list[Any] = []

    def mark(self) -> None:
        if self._cuda:
            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self._marks.append(event)
        else:
            self._marks.append(time.perf_counter())

    def milliseconds(self) -> list[float]:
        if self._cuda:
            torch.cuda.synchronize()
            return [a.elapsed_time(b) for a, b in zip(self._marks, self._marks[1:])]
        return [(b - a) * 1e3 for a, b in zip(self._marks, self._marks[1:])]


@contextmanager
def made_as(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Modules built inside get their weights there, in that precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


def ours(case: Case, params: Any, device: torch.device) -> Callable[[int], list[float]]:
    """Steps through Weft's own network, denoiser, guidance and sampler."""
    with made_as(case.dtype, device):
        network = SIZES[case.name].network(params).to(case.dtype).eval().requires_grad_(False)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    family = families.recognise(shapes)
    model = Model(
        network=network,
        family=family.name,
        prediction=Flow() if case.is_flow else Eps(),
        latent_format=family.latent_format,
        fit=family.fit(shapes, {}),
        device=device,
        dtype=case.dtype,
        origin="random",
    )
    positive, negative = (text(case, params) for _ in range(2))
    empty_BCHW = torch.zeros(1, model.latent_format.channels, case.pixels // 8, case.pixels // 8)

    def run(steps: int) -> list[float]:
        clock = Clock(device)

        def on_step(_step: Step) -> None:
            clock.mark()

        sample(model, positive, negative, empty_BCHW, seed=1, steps=steps, cfg=GUIDANCE, on_step=on_step)
        return clock.milliseconds()

    return run


def text(case: Case, params: Any) -> Conditioning:
    """An encoded prompt as the text encoders give it: float32, on the CPU."""
    pooled = POOLED[case.name]
    context_1LD = torch.randn(1, case.tokens, params.context_dim)
    return Conditioning.of(context_1LD, None if pooled is None else torch.randn(1, pooled))


def theirs(case: Case, config: Mapping[str, Any], device: torch.device) -> Callable[[int], list[float]]:
    """The same steps as diffusers' pipelines take them."""
    with made_as(case.dtype, device):
        network: nn.Module = SIZES[case.name].reference(**config).to(case.dtype).eval().requires_grad_(False)
    scheduler = (
        FlowMatchEulerDiscreteScheduler(shift=3.0)
        if case.is_flow
        else EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    )
    width = config["joint_attention_dim" if case.is_flow else "cross_attention_dim"]
    texts_2LD = torch.randn(2, case.tokens, width, device=device, dtype=case.dtype)
    pooled = POOLED[case.name]
    pooled_2D = None if pooled is None else torch.randn(2, pooled, device=device, dtype=case.dtype)
    sizes_26 = torch.tensor([[case.pixels, case.pixels, 0, 0, case.pixels, case.pixels]] * 2, device=device)

    def predict(x: Tensor, t: Tensor) -> Tensor:
        if case.is_flow:
            return network(x, texts_2LD, pooled_2D, t.expand(2), return_dict=False)[0]
        added = None if pooled is None else {"text_embeds": pooled_2D, "time_ids": sizes_26.to(case.dtype)}
        return network(x, t, texts_2LD, added_cond_kwargs=added, return_dict=False)[0]

    @torch.no_grad()
    def run(steps: int) -> list[float]:
        clock = Clock(device)
        scheduler.set_timesteps(steps, device=device)
        side = case.pixels // 8
        x = torch.randn(1, network.config["in_channels"], side, side, device=device, dtype=case.dtype)
        if not case.is_flow:
            x = x * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            both = torch.cat([x] * 2)
            both = both if case.is_flow else scheduler.scale_model_input(both, t)
            away, towards = predict(both, t).chunk(2)
            x = scheduler.step(away + GUIDANCE * (towards - away), t, x, return_dict=False)[0]
            clock.mark()
        return clock.milliseconds()

    return run


def small(case: Case) -> tuple[Case, Any, dict[str, Any]]:
    """Networks that a CPU can step through."""
    full = SIZES[case.name]
    case = replace(case, pixels=64, dtype=torch.float32)
    if case.is_flow:
        config = {**full.config, "num_layers": 2, "num_attention_heads": 2, "caption_projection_dim": 128}
        return case, replace(full.params, depth=2, width=128), config
    widths = (64, 128, 256, 256)[: len(full.params.multipliers)]
    heads = full.config["attention_head_dim"]
    heads = heads if isinstance(heads, int) else tuple(width // 64 for width in widths)
    return (
        case,
        replace(full.params, channels=64),
        {
            **full.config,
            "block_out_channels": widths,
            "attention_head_dim": heads,
        },
    )


def profiled(name: str, run: Callable[[int], list[float]], device: torch.device) -> None:
    """Where the time of a few steps goes: kernels by time on the device, and how many there are."""
    from torch.profiler import ProfilerActivity, profile  # noqa: PLC0415 - slow to import, and seldom asked for

    on_device = [ProfilerActivity.CUDA] if device.type == "cuda" else []
    with profile(activities=[ProfilerActivity.CPU, *on_device]) as found:
        run(3)
    events = found.key_averages()
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    rows = sorted(events, key=lambda event: -getattr(event, key))[:14]
    total = sum(getattr(event, key) for event in events)
    print(f"  {name}: {total / 3e3:.1f} ms a step in operations, {sum(e.count for e in events) / 3:.0f} calls")
    for event in rows:
        print(f"    {getattr(event, key) / 3e3:8.2f} ms {event.count / 3:7.0f} x {event.key[:90]}")


def compare(case: Case, options: argparse.Namespace, device: torch.device) -> None:
    full = SIZES[case.name]
    case, params, config = small(case) if options.small else (case, full.params, dict(full.config))
    sides = {"Weft": ours(case, params, device), "diffusers": theirs(case, config, device)}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():
        run(3)
    for _ in range(options.rounds):
        for name, run in sides.items():
            times[name] += run(options.steps)[1:]
    medians = {name: statistics.median(found) for name, found in times.items()}
    spread = {name: statistics.quantiles([*found, *found], n=10) for name, found in times.items()}
    shown = "  ".join(f"{n} {medians[n]:8.2f} ms ({spread[n][0]:.2f}-{spread[n][-1]:.2f})" for n in sides)
    print(f"{case.name:12} {case.pixels}²  {shown}  ratio {medians['Weft'] / medians['diffusers']:.3f}", flush=True)
    if options.profile:
        for name, run in sides.items():
            profiled(name, run, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda:0" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="part of a name")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, torch {torch.__version__}")
    for case in CASES:
        if options.only is None or options.only in case.name:
            compare(case, options, device)
            if device.type == "cuda":
                torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
