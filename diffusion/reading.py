"""Text encoders that read prompts another way: from an earlier layer, with words they have learned."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from diffusion.model import CLIP
from diffusion.text.encode import TextTower
from diffusion.text.learned import read_learned


def from_layer(clip: CLIP, layer: int) -> CLIP:
    """CLIP towers read at a layer counted from the end, 1 is the last. ValueError where there are fewer."""
    from diffusion.text.clip import ClipTower  # noqa: PLC0415 - imports transformers, which takes seconds

    def earlier(slot: str, tower: TextTower) -> TextTower:
        if not isinstance(tower, ClipTower):
            return tower
        if not 1 <= layer <= tower.network.params.layers:
            raise ValueError(f"layer: {slot} has {tower.network.params.layers}, got one {layer} from the end")
        return replace(tower, rules=replace(tower.rules, layer=layer))

    towers = {slot: earlier(slot, tower) for slot, tower in clip.towers.items()}
    return replace(clip, towers=towers, origin=f"{clip.origin} layer -{layer}")


def with_t5(clip: CLIP, min_length: int, absent_rows: int | None) -> CLIP:
    """T5 padded to `min_length` tokens; where it is missing, `absent_rows` of zeros for it, None as the model says."""
    from diffusion.text.t5 import T5Tower  # noqa: PLC0415 - imports transformers, which takes seconds

    towers = {
        slot: replace(tower, rules=replace(tower.rules, min_length=min_length)) if isinstance(tower, T5Tower) else tower
        for slot, tower in clip.towers.items()
    }
    origin = f"{clip.origin} t5 {min_length} {absent_rows}"
    return replace(clip, towers=towers, absent_t5=absent_rows, origin=origin)


def with_words(clip: CLIP, path: Path) -> CLIP:
    """With the learned words of a file. BadWeights as for `read_learned`; ValueError for a name that is taken."""
    words = read_learned(path, clip.towers)
    if taken := clip.words.keys() & words.keys():
        raise ValueError(f"{path.name}: a learned word {min(taken)!r} is there already")
    return replace(clip, words={**clip.words, **words}, origin=f"{clip.origin} words {path.name}")
