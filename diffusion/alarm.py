"""Where numbers go wrong: the first layer that gives values that are not finite, of inputs that are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from diffusion.samplers import OnStep, Step


class NotFinite(ArithmeticError):
    """Values that are infinite or no numbers; the message names where they came from."""


def explain(network: nn.Module, run: Callable[[OnStep], object], on_step: OnStep) -> NotFinite:
    """What went wrong in a run, found by doing it again under watch."""
    sound = 0

    def count(step: Step) -> None:
        nonlocal sound
        if sound == step.number - 1 and _finite(step.x):
            sound = step.number
        on_step(step)

    where = "nothing in the network; the sampler's own arithmetic, at these settings,"
    try:
        with watched(network):
            run(count)
    except NotFinite as error:
        where = str(error)
    return NotFinite(
        f"step {sound + 1}: {where} gave values that are not finite, and no picture can come of them; use another "
        "precision, a lower guidance, or look at how the model was made"
    )


@contextmanager
def watched(network: nn.Module) -> Iterator[None]:
    """Within, a layer that makes values that are not finite of ones that are raises NotFinite with its name."""

    def watch(name: str, layer: nn.Module) -> Callable[[nn.Module, tuple[object, ...], object], None]:
        def check(_layer: nn.Module, given: tuple[object, ...], made: object) -> None:
            if not all(map(_finite, _tensors(made))) and all(map(_finite, _tensors(given))):
                raise NotFinite(f"layer {name or 'network'} ({type(layer).__name__})")

        return check

    handles = [layer.register_forward_hook(watch(name, layer)) for name, layer in network.named_modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _finite(tensor: Tensor) -> bool:
    return bool(tensor.isfinite().all())


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
