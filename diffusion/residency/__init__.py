"""Which weights are where: one ledger for all networks of a worker, and what is done when a device's memory runs short.

A Model, CLIP or VAE that was loaded through a `Residency` has its weights on the device while they are used there, and
only as many as fit. `using(network)` brings a network's weights, `value_of` reads one of them, and `within_memory`
computes with less and less memory at a time until it succeeds.
"""

from diffusion.residency.ladder import within_memory
from diffusion.residency.ledger import Residency, using
from diffusion.residency.place import CudaPlace, HostPlace, Place, place_of
from diffusion.residency.weight import Derivation, Fixed, Home, Origin, Weight, home_of, value_of

__all__ = (
    "CudaPlace",
    "Derivation",
    "Fixed",
    "Home",
    "HostPlace",
    "Origin",
    "Place",
    "Residency",
    "Weight",
    "home_of",
    "place_of",
    "using",
    "value_of",
    "within_memory",
)
