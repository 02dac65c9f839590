"""Models in several files have one name, and change with each of their files."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.files import FileStore
from jobs.hashes import Hashes
from jobs.several import whole

SHARDS = ("big-00001-of-00002.safetensors", "big-00002-of-00002.safetensors")
PARTS = ("unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors", "unet/config.json")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    folder = tmp_path / "models" / "checkpoints"
    for name in (*SHARDS, "big.safetensors.index.json", "small.safetensors", "notes.json"):
        put(folder / name)
    for name in (*PARTS, "model_index.json"):
        put(folder / "pipeline" / name)
    put(folder / "torn-00001-of-00002.safetensors")
    return FileStore([tmp_path / "models"], tmp_path / "data", Hashes(tmp_path / "hashes.db"))


def put(path: Path, text: str = "{}") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_each_is_listed_once(store: FileStore) -> None:
    """Shards without an index stay what they are: files."""
    assert store.names("checkpoints") == [
        "big.safetensors.index.json",
        "pipeline/model_index.json",
        "small.safetensors",
        "torn-00001-of-00002.safetensors",
    ]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(("big.safetensors.index.json", shard) for shard in (*SHARDS, "big.safetensors.index.json")),
        *(("pipeline/model_index.json", f"pipeline/{part}") for part in (*PARTS, "model_index.json")),
    ],
)
def test_it_changes_with_each_of_its_files(store: FileStore, tmp_path: Path, name: str, part: str) -> None:
    before = store.fingerprint("checkpoints", name)
    assert store.fingerprint("checkpoints", name) == before
    put(tmp_path / "models" / "checkpoints" / part, '{"changed": 1}')
    assert store.fingerprint("checkpoints", name) != before
    put(tmp_path / "models" / "checkpoints" / "small.safetensors", "another")
    assert store.fingerprint("checkpoints", "small.safetensors") != before


def test_a_shard_of_another_folder_is_no_part() -> None:
    names = {"a/x.safetensors.index.json", "b/x-00001-of-00002.safetensors"}
    assert whole(names) == names
