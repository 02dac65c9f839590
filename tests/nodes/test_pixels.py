"""Nodes on pictures, masks and latents: exact values, sizes, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from diffusion.conditioning import Conditioning
from nodes import batches, inpaint, masks, resize
from nodes.types import VAE, Image, Latent, Mask

IMAGE = Image(torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(0)))
MASK = Mask(torch.zeros(1, 32, 48))
MASK[:, 8:24, 16:32] = 1
TEXT = Conditioning.of(torch.zeros(1, 3, 5))


@dataclass(frozen=True)
class Means:
    """Encodes to the mean of 8 x 8 pixels, four times."""

    def encode(self, x_BCHW: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(x_BCHW, 8).mean(1, keepdim=True).expand(-1, 4, -1, -1)

    def decode(self, z_BCHW: Tensor) -> Tensor:
        return z_BCHW


MEANS = VAE(Means(), 4, 8, torch.device("cpu"), torch.float32, "means")


def test_an_even_picture_has_its_colour_everywhere() -> None:
    image = batches.solid_image(16, 8, "#ff8000", 2)
    assert image.shape == (2, 3, 8, 16)
    assert torch.equal(image.amax((0, 2, 3)), torch.tensor([255, 128, 0]) / 255)
    assert torch.equal(image.amin((0, 2, 3)), image.amax((0, 2, 3)))
    with pytest.raises(ValueError, match="colour: expected a colour as \"#rrggbb\", got 'red'"):
        batches.solid_image(16, 8, "red")


def test_inpainting_models_see_the_picture_with_a_grey_hole() -> None:
    positive, negative, latent = inpaint.inpaint_conditioning(TEXT, TEXT, MEANS, IMAGE, MASK)
    assert torch.equal(latent.samples_BCHW, MEANS.encode(IMAGE))
    assert latent.mask_BHW is not None
    for conditioning in (positive, negative):
        reference = conditioning.entries[0].reference
        assert reference is not None
        assert reference.mask_BHW is not None
        assert torch.equal(reference.mask_BHW, MASK)
        assert not reference.latent_BCHW[:, :, 1:3, 2:4].any()
        assert torch.equal(reference.latent_BCHW[:, :, 0], latent.samples_BCHW[:, :, 0])


def test_editing_models_see_the_picture_and_begin_with_nothing() -> None:
    positive, _, latent = inpaint.instruct_pix2pix_conditioning(TEXT, TEXT, MEANS, IMAGE)
    assert not latent.samples_BCHW.any()
    reference = positive.entries[0].reference
    assert reference is not None
    assert torch.equal(reference.latent_BCHW, MEANS.encode(IMAGE))
    assert reference.mask_BHW is None


def test_a_hole_to_be_painted_anew_reaches_over_its_edge() -> None:
    latent = inpaint.vae_encode_for_inpaint(MEANS, IMAGE, MASK, grow=4)
    assert not latent.samples_BCHW[:, :, 1:3, 2:4].any()
    assert latent.mask_BHW is not None
    assert (int(MASK.sum()), int(latent.mask_BHW.sum())) == (16 * 16, 16 * 16 + 4 * 16 * 4 + 4 * _corner(4))


def _corner(radius: int) -> int:
    return sum(1 for y in range(1, radius + 1) for x in range(1, radius + 1) if x * x + y * y <= radius * radius)


def test_room_around() -> None:
    image, mask = inpaint.image_pad_for_outpaint(IMAGE, left=8, top=16, feather=4)
    assert image.shape == (2, 3, 48, 56)
    assert torch.equal(image[:, :, 16:, 8:], IMAGE)
    assert (image[:, :, :16] == 0.5).all()
    assert mask.shape == (1, 48, 56)
    assert (mask[:, :16] == 1).all()
    assert (mask[:, 20:, 12:] == 0).all()


def test_masks_of_pictures() -> None:
    assert torch.equal(masks.mask_from_image(IMAGE, "green"), IMAGE[:, 1])
    white = Image(torch.ones(1, 3, 2, 2))
    assert torch.allclose(masks.mask_from_image(white), torch.ones(1, 2, 2))
    assert torch.equal(masks.mask_from_image(masks.mask_to_image(MASK), "red"), MASK)
    assert torch.equal(masks.invert_mask(MASK), 1 - MASK)
    assert masks.solid_mask(3, 2, 0.25).tolist() == [[[0.25] * 3] * 2]
    assert masks.threshold_mask(Mask(torch.tensor([[[0.2, 0.5, 0.7]]]))).tolist() == [[[0, 0, 1]]]


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("add", [0, 1, 1, 1, 0.75]),
        ("subtract", [0, 1, 0, 0, 0.25]),
        ("multiply", [0, 0, 0, 1, 0.125]),
        ("or", [0, 1, 1, 1, 0.5]),
        ("and", [0, 0, 0, 1, 0.25]),
        ("xor", [0, 1, 1, 0, 0.5]),
    ],
)
def test_two_masks(operation: str, values: list[float]) -> None:
    a, b = (Mask(torch.tensor([[row]])) for row in ([0, 1, 0, 1, 0.5], [0, 0, 1, 1, 0.25]))
    assert masks.combine_masks(a, b, operation).flatten().tolist() == pytest.approx(values)


def test_a_mask_on_a_mask() -> None:
    small = Mask(torch.full((1, 4, 4), 0.5))
    result = masks.composite_mask(MASK, small, x=46, y=-2)
    assert (result[:, :2, 46:] == 0.5).all()
    assert float(result.sum()) == float(MASK.sum()) + 2


def test_batches() -> None:
    both = batches.image_batch([IMAGE, Image(IMAGE[:1])])
    assert torch.equal(batches.image_from_batch(both, 2, 5), IMAGE[:1])
    assert len(batches.repeat_image_batch(both, 3)) == 9
    assert batches.image_grid(both).shape == (1, 3, 64, 96)
    with pytest.raises(ValueError, match="index from 0 to 2, got 3"):
        batches.image_from_batch(both, 3)
    with pytest.raises(ValueError, match=r"expected one size, got \[3, 32, 48\], \[3, 48, 32\]"):
        batches.image_batch([IMAGE, Image(IMAGE.mT)])
    with pytest.raises(ValueError, match="got none"):
        batches.image_batch([])


def test_batches_of_latents_keep_masks_that_go_together() -> None:
    one, two = Latent(torch.rand(1, 4, 4, 6), MASK), Latent(torch.rand(2, 4, 4, 6), 1 - MASK)
    both = batches.latent_batch([one, two])
    assert both.mask_BHW is not None
    assert torch.equal(both.mask_BHW, torch.cat((MASK, 1 - MASK, 1 - MASK)))
    assert batches.latent_batch([one, Latent(two.samples_BCHW)]).mask_BHW is None
    last = batches.latent_from_batch(both, 2)
    assert torch.equal(last.samples_BCHW, two.samples_BCHW[1:])
    assert torch.equal(last.mask_BHW, 1 - MASK)  # type: ignore[arg-type]
    again = batches.repeat_latent_batch(both, 2)
    assert again.mask_BHW is not None
    assert (len(again.samples_BCHW), len(again.mask_BHW)) == (6, 6)


def test_cropping_and_pasting() -> None:
    assert torch.equal(batches.image_crop(IMAGE, 16, 8, x=40, y=-4), IMAGE[:, :, :4, 40:])
    with pytest.raises(ValueError, match="expected a rectangle that meets the picture"):
        batches.image_crop(IMAGE, 16, 16, x=48)
    pasted = batches.image_composite(IMAGE, Image(torch.zeros(1, 3, 32, 48)), mask=MASK)
    assert torch.equal(pasted, IMAGE * (1 - MASK[:, None]))
    latent = Latent(torch.rand(1, 4, 4, 6), MASK)
    part = batches.latent_crop(latent, 16, 16, x=16, y=8)
    assert torch.equal(part.samples_BCHW, latent.samples_BCHW[:, :, 1:3, 2:4])
    assert part.mask_BHW is not None
    assert part.mask_BHW.shape == (1, 2, 2)
    empty = Latent(torch.zeros(1, 4, 4, 6))
    back = batches.latent_composite(empty, part, x=16, y=8).samples_BCHW
    assert torch.equal(back[:, :, 1:3, 2:4], part.samples_BCHW)
    assert float(back.abs().sum()) == pytest.approx(float(part.samples_BCHW.abs().sum()))
    sixteen = Latent(torch.ones(1, 16, 4, 6))
    assert torch.equal(batches.latent_composite(empty, sixteen).samples_BCHW, sixteen.samples_BCHW)
    with pytest.raises(ValueError, match="got 4 and 16 channels"):
        batches.latent_composite(latent, sixteen)


def test_sizes() -> None:
    assert resize.image_scale(IMAGE, 96).shape == (2, 3, 64, 96)
    assert resize.image_scale(IMAGE, 40, 40, fit="crop").shape == (2, 3, 40, 40)
    assert resize.image_scale_by(IMAGE, 0.5, "area").shape == (2, 3, 16, 24)
    sharp = resize.image_scale(IMAGE, 480)
    assert float(sharp.min()) >= 0
    assert float(sharp.max()) <= 1
    latent = Latent(torch.rand(1, 4, 4, 6), MASK)
    assert resize.latent_upscale(latent, 96).samples_BCHW.shape == (1, 4, 8, 12)
    assert resize.latent_upscale(latent, 64, 64, fit="crop").samples_BCHW.shape == (1, 4, 8, 8)
    assert resize.latent_upscale_by(latent, 1.5).samples_BCHW.shape == (1, 4, 6, 9)
    assert resize.latent_upscale_by(latent).mask_BHW is MASK
