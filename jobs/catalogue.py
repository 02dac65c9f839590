"""The node definitions as the server knows them: from the worker when it is ready, before that from the last start."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graph.files import Files
from graph.graph import Builder
from graph.registry import Registry
from jobs.files import replace_file


class Catalogue:
    """Registry without functions, kept on disk for the next start under the content of the sources it came from.

    `sources` are folders of Python files; a cached catalogue is used only if every file in them is unchanged.
    """

    def __init__(self, cache: Path, sources: Iterable[Path], files: Files) -> None:
        self._cache, self._files = cache, files
        self._key = content_key(sources)
        self._registry = Registry()
        self._builder = Builder(self._registry, files)
        self._packs: Mapping[str, Any] = {}
        self._version = ""
        self._load()

    @property
    def registry(self) -> Registry:
        return self._registry

    @property
    def builder(self) -> Builder:
        """Validates workflows against the present definitions."""
        return self._builder

    @property
    def version(self) -> str:
        """Changes whenever a definition changes; "" while nothing is known."""
        return self._version

    @property
    def known(self) -> bool:
        """False only until the first worker of these sources has sent its definitions."""
        return self._version != ""

    @property
    def failures(self) -> Mapping[str, str]:
        """By pack, why it has no nodes, or not all."""
        return {name: pack["error"] for name, pack in self._packs.items() if pack["error"]}

    def update(self, body: bytes) -> None:
        """Take the definitions a worker sent (JSON `{"nodes": {...}, "packs": {...}}`) and keep them."""
        version = _version(body)
        if version == self._version:
            return
        self._take(json.loads(body), version)
        replace_file(self._cache, json.dumps({"key": self._key}).encode() + b"\n" + body)

    def to_json(self) -> dict[str, Any]:
        """`{"version", "nodes": {id: definition}, "packs": {name: {"nodes": [ids], "error": str | None}}}`.

        File widgets carry the names that can be chosen now.
        """
        return {"version": self._version, "nodes": self._registry.to_json(self._files), "packs": self._packs}

    def _load(self) -> None:
        try:
            head, _, body = self._cache.read_bytes().partition(b"\n")
            if json.loads(head) == {"key": self._key}:
                self._take(json.loads(body), _version(body))
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):
            self._cache.unlink()

    def _take(self, catalogue: Mapping[str, Any], version: str) -> None:
        self._registry = Registry.from_json(catalogue["nodes"])
        self._builder = Builder(self._registry, self._files)
        self._packs = catalogue["packs"]
        self._version = version


def _version(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def content_key(sources: Iterable[Path]) -> str:
    """Of all Python files in these folders: where they lie and what they say."""
    digest = hashlib.blake2b(digest_size=16)
    for root in sources:
        for path in sorted(root.rglob("*.py")):
            content = path.read_bytes()
            digest.update(f"{path}:{len(content)}:".encode())
            digest.update(content)
    return digest.hexdigest()
