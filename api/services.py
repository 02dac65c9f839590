"""What the handlers work with, made in server.py and handed to every one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from api.config import Config
from api.documents import Documents
from api.session import Sessions
from api.site import Site
from api.thumbs import Thumbnails
from graph.node import NodeSpec
from jobs.files import FileStore
from jobs.service import Jobs

Tokens = Callable[[str], Sequence[object]]
"""The chunks of tokens that a prompt falls into, as JSON."""
Converts = Callable[[object, Mapping[str, NodeSpec]], Mapping[str, object]]
"""A workflow of another program as ours, with notes of what is not carried over, for the nodes there are; or
InvalidGraph."""


@dataclass(frozen=True)
class Services:
    """`sessions` is None where no token is configured."""

    config: Config
    jobs: Jobs
    files: FileStore
    documents: Documents
    site: Site
    sessions: Sessions | None
    thumbnails: Thumbnails
    tokens: Tokens
    converts: Converts
