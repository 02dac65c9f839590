"""An example pack with a control of its own in the page."""

from typing import Annotated

from graph import Slider, node
from nodes.types import Image


@node("tint.Brighten", category="image/colour", title="Brighten")
def brighten(image: Image, amount: Annotated[float, Slider(0, 2, 0.1)] = 1.0) -> Image:
    """Multiply a picture.

    image: B 3 H W in 0..1. amount: 1 leaves the picture as it is.
    """
    return Image((image * amount).clamp(0, 1))
