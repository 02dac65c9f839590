"""An example pack with a control of its own in the page."""

from typing import Annotated

from graph import Choice, Slider, node
from nodes.types import Image


@node("tint.Brighten", category="image/colour", title="Brighten")
def brighten(
    image: Image,
    amount: Annotated[float, Slider(0, 2, 0.1)] = 1.0,
    where: Annotated[str, Choice(("all", "middle"))] = "all",
) -> Image:
    """Multiply a picture.

    image: B 3 H W in 0..1. amount: 1 leaves the picture as it is. where: the whole, or the inner half of the rows.
    """
    height = image.shape[2] if where == "all" else image.shape[2] // 2
    top = (image.shape[2] - height) // 2
    made = image.clone()
    made[:, :, top : top + height] *= amount
    return Image(made.clamp(0, 1))
