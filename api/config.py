"""What the server side is told at its start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    """Bind address, program version, and who may enter.

    `names` are further host names this server answers to; `token` None means loopback without identity.
    """

    host: str
    version: str
    token: str | None = None
    names: tuple[str, ...] = ()
