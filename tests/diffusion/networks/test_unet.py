"""The U-Net against diffusers' UNet2DConditionModel, and its configuration from shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from diffusers import UNet2DConditionModel

from diffusion.networks.layers import timestep_embedding
from diffusion.networks.unet import UNet, UNetParams
from tests.diffusion import keymaps
from tests.diffusion.networks.comparison import TOLERANCE, randomise, relative_error, shapes_of

SD1 = UNetParams(
    channels=32,
    multipliers=(1, 2, 2),
    res_blocks=(2, 2, 2),
    depths_down=(1, 1, 1, 1, 0, 0),
    depth_mid=1,
    depths_up=(0, 0, 0, 1, 1, 1, 1, 1, 1),
    context_dim=48,
    linear_projection=False,
    heads=8,
)
SD2 = replace(SD1, channels=64, multipliers=(1, 2, 1), linear_projection=True, heads=None)
SDXL = UNetParams(
    channels=64,
    multipliers=(1, 2, 2),
    res_blocks=(1, 1, 1),
    depths_down=(0, 1, 2),
    depth_mid=2,
    depths_up=(2, 2, 1, 1, 0, 0),
    context_dim=48,
    linear_projection=True,
    heads=None,
    y_dim=40 + 6 * 16,
)
INPAINT = replace(SD1, in_channels=9)
ALL = {"SD1": SD1, "SD1 inpaint": INPAINT, "SD2": SD2, "SDXL": SDXL}


def reference_of(p: UNetParams, depths: tuple[int, ...]) -> UNet2DConditionModel:
    """`depths`: transformer blocks of each level, the deepest last."""
    kinds = ["CrossAttn" if depth else "" for depth in depths]
    return UNet2DConditionModel(
        in_channels=p.in_channels,
        block_out_channels=p.widths,
        layers_per_block=p.res_blocks[0],
        down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
        up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
        transformer_layers_per_block=tuple(depth or 1 for depth in depths),
        cross_attention_dim=p.context_dim,
        use_linear_projection=p.linear_projection,
        attention_head_dim=tuple(p.heads_of(width) for width in p.widths),
        addition_embed_type="text_time" if p.y_dim else None,
        addition_time_embed_dim=16 if p.y_dim else None,
        projection_class_embeddings_input_dim=p.y_dim,
    )


@pytest.mark.parametrize(
    ("params", "depths"),
    [(SD1, (1, 1, 0)), (INPAINT, (1, 1, 0)), (SD2, (1, 1, 0)), (SDXL, (0, 1, 2))],
    ids=ALL.keys(),
)
@pytest.mark.parametrize("size", [(8, 12), (7, 9)], ids=["even", "odd"])
def test_equals_the_reference(params: UNetParams, depths: tuple[int, ...], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    reference = reference_of(params, depths)
    randomise(reference, seed=2)
    network = UNet(params)
    network.load_state_dict(keymaps.unet(reference.state_dict()))

    x = torch.randn(2, params.in_channels, *size)
    t = torch.tensor([999.0, 3.25])
    context = torch.randn(2, 7, params.context_dim)
    added, y = None, None
    if params.y_dim:
        pooled, sizes = torch.randn(2, 40), torch.tensor([[1024.0, 768, 0, 8, 512, 640]]).expand(2, -1)
        added = {"text_embeds": pooled, "time_ids": sizes}
        y = torch.cat((pooled, timestep_embedding(sizes.flatten(), 16).view(2, -1)), dim=1)
    with torch.no_grad():
        expected = reference(x, t, context, added_cond_kwargs=added).sample
        assert relative_error(network(x, t, context, y), expected) <= TOLERANCE


@pytest.mark.parametrize(
    "params", [*ALL.values(), replace(SD2, depth_mid=0), replace(SDXL, out_channels=8, depths_up=(2, 1, 1, 0, 0, 0))]
)
def test_shapes_tell_the_params(params: UNetParams) -> None:
    with torch.device("meta"):
        assert UNetParams.from_shapes(shapes_of(UNet(params))) == params


def test_a_missing_extra_vector_is_refused() -> None:
    x, t, context = torch.zeros(1, 4, 8, 8), torch.zeros(1), torch.zeros(1, 7, SDXL.context_dim)
    with pytest.raises(ValueError, match="extra vector of 136 values"):
        UNet(SDXL)(x, t, context)


def test_a_network_that_reads_no_text_is_refused() -> None:
    shapes = {key: shape for key, shape in shapes_of(UNet(SD1)).items() if "proj_in" not in key}
    with pytest.raises(ValueError, match="text-conditioned"):
        UNetParams.from_shapes(shapes)


def test_params_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(ValueError, match=r"9 up; got .* and \(0, 0, 0\)"):
        replace(SD1, depths_up=(0, 0, 0))
    with pytest.raises(ValueError, match=r"multiples of 64, got levels of \(32, 64, 64\)"):
        replace(SD1, heads=None)


def test_it_is_one_graph_for_the_compiler() -> None:
    torch.manual_seed(0)
    network = UNet(replace(SD1, multipliers=(1, 1), res_blocks=(1, 1), depths_down=(1, 0), depths_up=(0, 0, 1, 1)))
    given = torch.randn(1, 4, 7, 8), torch.tensor([5.0]), torch.randn(1, 7, SD1.context_dim)
    with torch.no_grad():
        compiled = torch.compile(network, backend="eager", fullgraph=True)
        assert relative_error(compiled(*given), network(*given)) <= TOLERANCE
