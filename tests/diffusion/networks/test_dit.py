"""DiT against diffusers' DiTTransformer2DModel, whose frequencies are put right to those of the authors' own code."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import DiTTransformer2DModel
from torch import Tensor

from diffusion.hooks import Hooks, Residuals
from diffusion.networks.dit import DiT, DiTParams, digits, label_of
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error, shapes_of

SMALL = DiTParams(depth=3, width=128, rows=11, positions=4)
KINDS = {f"patch {patch}": replace(SMALL, patch=patch) for patch in (2, 4, 8)} | {
    "heads of 72": replace(SMALL, width=1152, depth=1),
    "no variance": replace(SMALL, out_channels=4),
}
INNER = {
    "attn.proj": "attn1.to_out.0",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
    "adaLN_modulation.1": "norm1.linear",
}
OUTER = {
    "x_embedder.proj": "pos_embed.proj",
    "final_layer.adaLN_modulation.1": "proj_out_1",
    "final_layer.linear": "proj_out_2",
}


def for_diffusers(network: DiT) -> dict[str, Tensor]:
    """A network's tensors under the names of diffusers, which has the embedders in every block."""
    ours = dict(network.state_dict())
    result: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        for name, theirs in OUTER.items():
            result[f"{theirs}.{kind}"] = ours[f"{name}.{kind}"]
        for n in range(network.params.depth):
            block = f"transformer_blocks.{n}"
            for letter, rows in zip("qkv", ours[f"blocks.{n}.attn.qkv.{kind}"].chunk(3), strict=True):
                result[f"{block}.attn1.to_{letter}.{kind}"] = rows
            for name, theirs in INNER.items():
                result[f"{block}.{theirs}.{kind}"] = ours[f"blocks.{n}.{name}.{kind}"]
            for place, layer in ((0, "linear_1"), (2, "linear_2")):
                result[f"{block}.norm1.emb.timestep_embedder.{layer}.{kind}"] = ours[f"t_embedder.mlp.{place}.{kind}"]
            table = ours["y_embedder.embedding_table.weight"]
            result[f"{block}.norm1.emb.class_embedder.embedding_table.weight"] = table
    return result


@pytest.mark.parametrize("params", KINDS.values(), ids=KINDS.keys())
def test_equals_the_reference(params: DiTParams) -> None:
    torch.manual_seed(0)
    side = params.positions * params.patch
    reference = DiTTransformer2DModel(
        num_attention_heads=params.heads,
        attention_head_dim=params.width // params.heads,
        in_channels=params.in_channels,
        out_channels=params.out_channels,
        num_layers=params.depth,
        sample_size=side,
        patch_size=params.patch,
        num_embeds_ada_norm=params.rows - 1,
    ).eval()
    for block in reference.transformer_blocks:
        block.norm1.emb.time_proj.downscale_freq_shift = 0
    network = DiT(params)
    randomise(network, seed=2)
    reference.load_state_dict(for_diffusers(network))
    reference.double()
    x, t, labels = torch.randn(2, params.in_channels, side, side), torch.tensor([987.0, 3.0]), torch.tensor([7, 10])
    context = torch.cat([digits(int(label)) for label in labels])
    with torch.no_grad():
        expected = reference(x.double(), t, labels, return_dict=False)[0]
        assert relative_error(network(x, t, context).double(), expected) <= TOLERANCE


@pytest.mark.parametrize("params", KINDS.values(), ids=KINDS.keys())
def test_shapes_tell_the_params(params: DiTParams) -> None:
    with torch.device("meta"):
        assert DiTParams.from_shapes(shapes_of(DiT(params))) == params


@pytest.mark.parametrize(
    ("width", "depth", "heads", "millions"),
    [(384, 12, 6, 33), (768, 12, 12, 130), (1024, 24, 16, 458), (1152, 28, 16, 675)],
)
def test_published_sizes(width: int, depth: int, heads: int, millions: int) -> None:
    with torch.device("meta"):
        network = DiT(DiTParams(depth=depth, width=width, rows=1001))
    assert network.params.heads == heads
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert round(parameters / 1e6) == millions


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_classes_are_exact_in_any_precision(dtype: torch.dtype) -> None:
    for label in (0, 1, 255, 256, 999, 1000, 65535):
        assert label_of(digits(label).to(dtype)).item() == label


def test_another_size_and_what_it_cannot_use_are_refused() -> None:
    network = DiT(SMALL)
    with pytest.raises(ValueError, match=r"latent: .* 8 x 8 cells, .* got 8 x 10"):
        network(torch.zeros(1, 4, 8, 10), torch.zeros(1), digits(1))
    with pytest.raises(ValueError, match="none for a DiT"):
        network(torch.zeros(1, 4, 8, 8), torch.zeros(1), digits(1), None, Hooks(residuals=Residuals(())))
    with pytest.raises(ValueError, match="multiple of 64, got depth 0"):
        replace(SMALL, depth=0)


def test_a_skipped_block_gives_back_what_it_gets() -> None:
    torch.manual_seed(0)
    network = DiT(SMALL)
    randomise(network, seed=2)
    shorter = DiT(replace(SMALL, depth=2))
    shorter.load_state_dict({k: v for k, v in network.state_dict().items() if not k.startswith("blocks.2.")})
    given = torch.randn(1, 4, 8, 8), torch.tensor([5.0]), digits(3)
    with torch.no_grad():
        got = network(*given, None, Hooks(skipped=frozenset({"blocks.2"})))
        assert torch.equal(got, shorter(*given))
