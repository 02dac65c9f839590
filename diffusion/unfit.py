"""What a conditioning brings that does not go with a model."""

from __future__ import annotations


class Unfit(ValueError):
    """Text, a picture or a ControlNet that is not for this model, or not for these latents.

    `place`: of which of the conditionings that were asked with, once that is known.
    """

    def __init__(self, message: str, place: int = 0) -> None:
        super().__init__(message)
        self.place = place
