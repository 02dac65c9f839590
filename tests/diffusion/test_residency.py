"""Where weights lie: each tensor once, within a budget, and results that do not depend on it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from diffusion.loader import Checkpoint, load_checkpoint, load_unet, load_vae
from diffusion.model import CLIP, Model
from diffusion.patches.apply import patch_model
from diffusion.patches.file import read_adapters
from diffusion.residency import CudaPlace, HostPlace, Origin, Residency, Weight, using, value_of, within_memory
from diffusion.residency.blocks import blocks_of
from diffusion.residency.ledger import ledger_of
from diffusion.residency.place import Conveyor, Units, available
from diffusion.text.clip import ClipTower
from diffusion.text.t5 import T5Tower
from tests.diffusion import tiny
from tests.diffusion.networks.comparison import shapes_of

FAMILIES = ("sd15", "sdxl", "sd3")
PREFIX = "model.diffusion_model."


class CountingPlace(HostPlace):
    """A device that copies what it is given, as a GPU does, and tells what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.brought_bytes = self.released = 0
        self.units: Units = ()
        self.log: list[str] = []

    def brought(self, source: Tensor, dtype: torch.dtype) -> Tensor:
        value = source.to(dtype, copy=True)
        self.brought_bytes += value.nbytes
        return value

    def sent_home(self, value: Tensor) -> Tensor:
        return value.clone()

    def release(self) -> None:
        self.released += 1

    def conveyor(self, units: Units) -> Conveyor:
        self.units = units
        return super().conveyor(units)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Half-precision checkpoints, so that on the CPU too no weight is what the file has."""
    folder = tmp_path_factory.mktemp("checkpoints")
    halves = {name: {key: t.half() for key, t in tiny.checkpoint_of(name).items()} for name in FAMILIES}
    return {name: tiny.save(folder / f"{name}.safetensors", tensors) for name, tensors in halves.items()}


def inputs(model: Model, batch: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(5)
    params = model.network.params
    assert isinstance(params, tiny.UNetParams | tiny.MMDiTParams)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    y = None if params.y_dim is None else draw(batch, params.y_dim)
    return draw(batch, params.in_channels, 8, 8), draw(batch).abs() * 300, draw(batch, 5, params.context_dim), y


@torch.no_grad()
def run(checkpoint: Checkpoint) -> tuple[Tensor, Tensor, Tensor]:
    """Something of each part."""
    assert checkpoint.vae is not None
    assert checkpoint.clip is not None
    channels = checkpoint.vae.channels
    latent = torch.linspace(-1, 1, channels * 36).reshape(1, channels, 6, 6)
    text = checkpoint.clip.encode("a (cat:1.2)") if len(checkpoint.clip.towers) == 1 else None
    return (
        checkpoint.model.output(*inputs(checkpoint.model)),
        checkpoint.vae.decode(latent),
        latent if text is None else text.entries[0].context_BLD,
    )


def here(network: nn.Module) -> int:
    return sum(t.nbytes for t in network.parameters() if isinstance(t, Weight) and t.here)


def total(network: nn.Module) -> int:
    return sum(t.nbytes for t in network.parameters())


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", [None, 1.0, 0.6, 0.3])
def test_results_do_not_depend_on_the_budget(files: dict[str, Path], family: str, share: float | None) -> None:
    """None: no budget; below 1 the network is larger than what may lie on the device."""
    expected = run(load_checkpoint(files[family], "cpu"))
    sizes = total(load_checkpoint(files[family], "cpu").model.network)
    residency = Residency(CountingPlace(), None if share is None else int(sizes * share))
    checkpoint = load_checkpoint(files[family], residency)
    assert here(checkpoint.model.network) == 0  # nothing is read before it is needed
    for _ in range(2):
        assert all(torch.equal(got, want) for got, want in zip(run(checkpoint), expected, strict=True))


def test_what_lies_on_the_device_stays_within_the_budget(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = CountingPlace()
    network = load_checkpoint(files["sdxl"], Residency(place)).model.network
    sizes = [block.bytes for block in blocks_of(network)]
    budget = total(network) - sum(sizes) + 2 * max(sizes)  # what stays, and one block at work while the next one comes
    assert budget < total(network) * 0.7
    model = load_checkpoint(files["sdxl"], Residency(place, budget)).model
    most, show = 0, Weight.show

    def watched(weight: Weight, value: Tensor) -> None:
        nonlocal most
        show(weight, value)
        most = max(most, here(model.network))

    monkeypatch.setattr(Weight, "show", watched)
    model.output(*inputs(model))
    assert place.units
    assert 0 < most <= budget


def test_one_file_lies_on_the_device_once(files: dict[str, Path]) -> None:
    place = CountingPlace()
    residency = Residency(place)
    one, two = (load_checkpoint(files["sd15"], residency) for _ in range(2))
    bare = load_unet(files["sd15"], residency)
    vae = load_vae(files["sd15"], residency)
    assert one.vae is not None
    for a, b in ((one, two), (one.model, bare)):
        network = a.model.network if isinstance(a, Checkpoint) else a.network
        other = b.model.network if isinstance(b, Checkpoint) else b.network
        pairs = zip(network.parameters(), other.parameters(), strict=True)
        assert all(mine is theirs for mine, theirs in pairs)
    run(one)
    brought = place.brought_bytes
    run(two)
    bare.output(*inputs(bare))
    assert torch.equal(vae.decode(torch.ones(1, 4, 4, 4)), one.vae.decode(torch.ones(1, 4, 4, 4)))
    assert place.brought_bytes == brought


def test_nothing_is_kept_of_models_nobody_has(files: dict[str, Path]) -> None:
    residency = Residency(CountingPlace())
    checkpoint = load_checkpoint(files["sd15"], residency)
    run(checkpoint)
    assert len(residency.entries()) == 3  # network, text encoder, VAE
    del checkpoint
    gc.collect()
    assert residency.entries() == []


def test_loaders_at_the_same_time_share(files: dict[str, Path]) -> None:
    residency = Residency(CountingPlace())
    with ThreadPoolExecutor(4) as pool:
        models = list(pool.map(lambda _: load_checkpoint(files["sdxl"], residency).model, range(4)))
    assert len({id(p) for model in models for p in model.network.parameters()}) == len(
        list(models[0].network.parameters())
    )


def test_what_was_not_used_for_longest_leaves_first(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("diffusion.residency.ledger.clock", lambda: now)
    residency = Residency(CountingPlace())
    models = [load_checkpoint(files[family], residency).model for family in FAMILIES]
    for model in models:
        now += 1
        model.output(*inputs(model))
    now += 1
    models[0].output(*inputs(models[0]))
    for model in models:  # all are equally fast to bring back
        for weight in model.network.parameters():
            assert isinstance(weight, Weight)
            weight.holding.seconds_per_byte = 1e-9
    now += 1
    residency._budget = sum(here(model.network) for model in models)
    assert residency.has_room(1)
    first, second, third = (here(model.network) / total(model.network) for model in models)
    assert (first, third) == (1, 1)
    assert second < 1


def test_weights_in_use_stay(files: dict[str, Path]) -> None:
    residency = Residency(CountingPlace())
    used, idle = (load_checkpoint(files[family], residency).model for family in ("sd15", "sdxl"))
    for model in (used, idle):
        model.output(*inputs(model))
    with using(used.network):
        residency.relieve()
        assert here(used.network) == total(used.network)
        assert here(idle.network) == 0


def test_a_patched_model_has_no_more_of_its_own_than_what_changed(files: dict[str, Path], tmp_path: Path) -> None:
    name = "joint_blocks.0.x_block.attn.proj.weight"
    lora = {f"diffusion_model.{name}".replace(".weight", ".lora_A.weight"): torch.randn(4, 128)}
    lora |= {f"diffusion_model.{name}".replace(".weight", ".lora_B.weight"): torch.randn(128, 4)}
    adapters = read_adapters(tiny.save(tmp_path / "lora.safetensors", lora))
    expected = patch_model(load_checkpoint(files["sd3"], "cpu").model, adapters, 0.5)
    size = total(expected.network)
    residency = Residency(CountingPlace(), int(size * 1.1))
    base = load_checkpoint(files["sd3"], residency).model
    patched = patch_model(base, adapters, 0.5)
    own = {n for n, p in patched.network.named_parameters() if p is not base.network.get_parameter(n)}
    assert own == {name}
    for _ in range(2):  # the patch leaves the device for the other, and comes back
        assert torch.equal(patched.output(*inputs(patched)), expected.output(*inputs(expected)))
        residency.relieve()
        assert here(patched.network) == 0
        assert torch.equal(value_of(patched.network.get_parameter(name)), expected.network.get_parameter(name))


def test_every_block_of_a_network_is_found(files: dict[str, Path]) -> None:
    residency = Residency(CountingPlace())
    for family, fewest in (("sd15", 6), ("sdxl", 6), ("sd3", 2)):
        network = load_checkpoint(files[family], residency).model.network
        blocks = blocks_of(network)
        weights = [id(weight) for block in blocks for weight in block.weights]
        assert len(blocks) >= fewest
        assert len(weights) == len(set(weights))
        assert sum(block.bytes for block in blocks) > 0.6 * total(network)


def test_a_network_without_blocks_comes_whole() -> None:
    """However little room there is meant to be: what does not fit fails when it is brought."""
    network = nn.Linear(4, 4, bias=False).requires_grad_(False)
    residency = Residency(CountingPlace(), 1)
    held = residency.hold(Origin("one", "1"), {"weight": torch.eye(4) * 2}, shapes_of(network), torch.float32)
    network.load_state_dict(held, assign=True)
    assert torch.equal(within_memory(network, X, lambda rows: network(X[rows])), X * 2)
    assert [entry.bytes for entry in residency.entries()] == [64]


def test_networks_without_a_ledger_are_left_alone() -> None:
    network = nn.Linear(2, 2)
    with using(network):
        assert ledger_of(network) is None
    assert value_of(network.weight).data_ptr() == network.weight.data_ptr()


def test_what_the_host_can_spare(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    assert available(file) == float("inf")
    file.write_text("MemTotal:  300 kB\nMemFree:  100 kB\nMemAvailable:  200 kB\n")
    assert available(file) == 200 * 1024


# When memory runs out


class Scarce(nn.Module):
    """Doubles its rows, and has memory for some ways of doing so only."""

    def __init__(self, enough: Callable[[int, Sequence[Tensor]], bool]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(3))
        self.enough = enough
        self.calls: list[int] = []

    def __call__(self, x: Tensor) -> Tensor:
        self.calls.append(len(x))
        if not self.enough(len(x), [w for w in self.parameters() if isinstance(w, Weight) and w.here]):
            raise torch.OutOfMemoryError("injected")
        for block in self.blocks:
            x = block(x)
        return x


def scarce(
    residency: Residency, enough: Callable[[int, Sequence[Tensor]], bool] = lambda _rows, _here: True, title: str = "x"
) -> Scarce:
    network = Scarce(enough).requires_grad_(False)
    tensors, shapes = {name: torch.eye(4) * 2 for name in network.state_dict()}, shapes_of(network)
    network.load_state_dict(
        residency.hold(Origin(f"blocks of {title}", "1"), tensors, shapes, torch.float32), assign=True
    )
    return network


def halves(network: Scarce, x: Tensor) -> Tensor:
    return within_memory(network, x, lambda rows: network(x[rows]))


X = torch.arange(24.0).reshape(6, 4)


def test_others_make_room_first() -> None:
    place, spilled = CountingPlace(), []
    residency = Residency(place, spill=lambda: spilled.append(1))
    network = scarce(residency, lambda _rows, _here: bool(spilled))
    assert torch.equal(halves(network, X), X * 8)
    assert network.calls == [6, 6]
    assert place.released == 1


def test_fewer_rows_at_a_time_remembered() -> None:
    network = scarce(Residency(CountingPlace()), lambda rows, _here: rows <= 2)
    assert torch.equal(halves(network, X), X * 8)
    assert network.calls == [6, 6, 3, 2, 2, 2]
    network.calls.clear()
    assert torch.equal(halves(network, X), X * 8)
    assert network.calls == [2, 2, 2]
    network.calls.clear()
    assert torch.equal(halves(network, X[:2]), X[:2] * 8)  # another size of batch, from the start
    assert network.calls == [2]


def test_tiles_when_one_row_is_too_much() -> None:
    network = scarce(Residency(CountingPlace()), lambda _rows, _here: False)
    tiled: list[slice] = []

    def in_tiles(rows: slice) -> Tensor:
        tiled.append(rows)
        return X[rows] * 8

    assert torch.equal(within_memory(network, X, lambda rows: network(X[rows]), in_tiles), X * 8)
    assert network.calls == [6, 6, 3, 2, 1]
    assert tiled == [slice(n, n + 1) for n in range(6)]


def test_blocks_one_by_one_in_the_end() -> None:
    network = scarce(Residency(CountingPlace()), lambda _rows, here: not here)
    assert torch.equal(halves(network, X), X * 8)
    assert network.calls == [6, 6, 3, 2, *[1] * 7]
    network.calls.clear()
    assert torch.equal(halves(network, X), X * 8)
    assert network.calls == [1] * 6


def test_failure_tells_who_holds_what() -> None:
    residency = Residency(CountingPlace())
    other = scarce(residency)
    halves(other, X)
    network = scarce(residency, lambda _rows, _here: False, "y")
    with (
        using(other),
        pytest.raises(torch.OutOfMemoryError, match=r"(?s)too small.*one row.*MiB  blocks of x \(in use\)"),
    ):
        halves(network, X)
    network.enough = lambda _rows, _here: True
    assert torch.equal(halves(network, X), X * 8)  # and goes on to work


def test_other_errors_pass() -> None:
    network = scarce(Residency(CountingPlace()))

    def broken(_rows: slice) -> Tensor:
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        within_memory(network, X, broken)


@pytest.mark.parametrize("managed", [False, True])
def test_parts_of_models_run_in_less_memory(
    files: dict[str, Path], managed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture at a time through network and VAE gives what all at once give."""
    reference = load_checkpoint(files["sd15"], "cpu")
    checkpoint = load_checkpoint(files["sd15"], Residency(CountingPlace()) if managed else "cpu")
    assert reference.vae is not None
    assert checkpoint.vae is not None
    given = inputs(reference.model, batch=3)
    latent = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    expected = reference.model.output(*given), reference.vae.decode(latent)
    image = expected[1]
    encoded = reference.vae.encode(image)
    seen: list[int] = []

    def limited(module: nn.Module, attribute: str) -> None:
        real = getattr(module, attribute)

        def call(x: Tensor, *rest: object) -> Tensor:
            if len(x) > 1:
                raise torch.OutOfMemoryError("injected")
            seen.append(len(x))
            return real(x, *rest)

        monkeypatch.setattr(module, attribute, call)

    autoencoder = checkpoint.vae.network
    assert isinstance(autoencoder, nn.Module)
    limited(checkpoint.model.network, "forward")
    limited(autoencoder, "encode")
    limited(autoencoder, "decode")
    got = checkpoint.model.output(*given), checkpoint.vae.decode(latent)
    assert seen == [1] * 6
    for a, b in zip((*got, checkpoint.vae.encode(image)), (*expected, encoded), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", ["sd15", "sd3"])
def test_prompts_are_encoded_in_less_memory(
    files: dict[str, Path], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chunk at a time, for every text encoder; and a failure that says what was tried."""
    text = "a (red:1.3) fox " * 40
    expected = of_clip(load_checkpoint(files[family], "cpu")).encode(text).entries[0]
    clip = of_clip(load_checkpoint(files[family], Residency(CountingPlace())))
    most = 1
    for tower in clip.towers.values():
        assert isinstance(tower, ClipTower | T5Tower)
        module = tower.network.text_model if isinstance(tower, ClipTower) else tower.network
        monkeypatch.setattr(module, "forward", within(module.forward, lambda: most))
    got = clip.encode(text).entries[0]
    assert torch.allclose(got.context_BLD, expected.context_BLD, rtol=1e-5, atol=1e-5)
    if expected.pooled_BD is not None:
        assert got.pooled_BD is not None
        assert torch.allclose(got.pooled_BD, expected.pooled_BD, rtol=1e-5, atol=1e-5)
    most = 0
    with pytest.raises(
        torch.OutOfMemoryError, match=rf"one row at a time(?s:.*)MiB  (clip_l|t5xxl|clip_g) of {family}"
    ):
        clip.encode(text)


def test_text_encoders_leave_when_done_where_room_is_short(files: dict[str, Path]) -> None:
    """And stay where it is not; what is painted is the same."""
    reference = load_checkpoint(files["sd15"], "cpu")
    text = of_clip(reference).encode("a cat").entries[0].context_BLD
    expected = reference.model.output(*inputs(reference.model))
    (tower,) = of_clip(reference).towers.values()
    assert isinstance(tower, ClipTower)
    needs = total(reference.model.network), total(tower.network)
    for budget, stays in ((sum(needs), True), (int(1.05 * max(needs)), False)):
        residency = Residency(CountingPlace(), budget)
        checkpoint = load_checkpoint(files["sd15"], residency)
        assert torch.equal(of_clip(checkpoint).encode("a cat").entries[0].context_BLD, text)
        assert [entry.title for entry in residency.entries()] == ["clip_l of sd15.safetensors"]
        assert torch.equal(checkpoint.model.output(*inputs(checkpoint.model)), expected)
        of_text = [entry.bytes for entry in residency.entries() if entry.title.startswith("clip_l")]
        assert (of_text == [needs[1]]) is stays
        assert here(checkpoint.model.network) == needs[0]
        assert sum(entry.bytes for entry in residency.entries()) <= budget


def of_clip(checkpoint: Checkpoint) -> CLIP:
    assert checkpoint.clip is not None
    return checkpoint.clip


def within(forward: Callable[..., object], most: Callable[[], int]) -> Callable[..., object]:
    """`forward` where the memory holds so many rows."""

    def call(first: Tensor, *rest: object, **more: object) -> object:
        if len(first) > most():
            raise torch.OutOfMemoryError("injected")
        return forward(first, *rest, **more)

    return call


def test_a_vae_in_bands_and_in_blocks(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The last rung of all."""
    reference = load_vae(files["sd15"], "cpu")
    place = CountingPlace()
    vae = load_vae(files["sd15"], Residency(place, 1))
    latent = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(1))
    expected = reference.decode(latent)

    def starved(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("injected")

    monkeypatch.setattr(vae.network, "decode", starved)
    assert torch.allclose(vae.decode(latent), expected, rtol=1e-5, atol=1e-5)
    assert len(place.units) > 4


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@needs_gpu
@pytest.mark.parametrize("family", FAMILIES)
def test_on_a_gpu_too(files: dict[str, Path], family: str) -> None:
    """Blocks come on a stream of their own while others are at work, again and again, to the same result."""
    fixed = load_checkpoint(files[family], "cuda:0").model
    given = tuple(None if t is None else t.to("cuda:0", fixed.dtype) for t in inputs(fixed))
    x, t, context, y = given
    assert x is not None
    assert t is not None
    assert context is not None
    expected = fixed.output(x, t, context, y)
    for share in (None, 0.7, 0.4):
        budget = None if share is None else int(total(fixed.network) * share)
        model = load_checkpoint(files[family], Residency(CudaPlace(torch.device("cuda:0")), budget)).model
        for _ in range(4):
            assert torch.allclose(model.output(x, t, context, y), expected, rtol=1e-3, atol=1e-3)
        assert share is None or here(model.network) <= total(fixed.network) * share
        assert value_of(next(model.network.parameters())).device.type == "cuda"


@needs_gpu
def test_a_large_tensor_reaches_a_gpu_in_pieces() -> None:
    source = torch.randn(5000, 4099)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        assert torch.equal(CudaPlace(torch.device("cuda:0")).brought(source, dtype).cpu(), source.to(dtype))
