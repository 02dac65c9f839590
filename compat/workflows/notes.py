"""What a conversion could not carry over, in words, and as codes and values for who says it in another language."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

SENTENCES: Final[Mapping[str, str]] = {
    "missing": "{count} of {total} nodes have no counterpart here and are kept as they are: {names}.",
    "value": "{title}: {input} is {value} there, which is none here; it is kept for you to change.",
    "left": "{title}: {input} was {value} there, which has no counterpart and is left out.",
    "fed": "{title}: {input} was linked there, which has no counterpart and is left out.",
    "noise": "{title} stays a KSampler, as steps or denoise are linked or out of range: its seed draws other noise.",
    "unread": "{title}: no sampler that has a counterpart reads its {input}; it is kept, muted.",
    "pattern": "{title}: {input} was {value} there; what is between percent signs is not filled in here and left out.",
    "choice": "{title}: of choices such as {value} in its {input} none is drawn here; the text is kept as it is.",
    "turned": "{title}: {input} is linked, and what it means is the other way round here.",
}
MOST: Final = 100
LONGEST: Final = 80


@dataclass(frozen=True)
class Note:
    """`node` is the id of the node it is about, None for the whole."""

    code: str
    node: str | None
    values: Mapping[str, str | int]

    @property
    def text(self) -> str:
        return SENTENCES[self.code].format(**self.values)

    def to_json(self) -> dict[str, object]:
        return {"code": self.code, "node": self.node, "values": dict(self.values), "text": self.text}


def missing(kinds: Iterable[str], total: int) -> list[Note]:
    """One note for all nodes without a counterpart, if there are any."""
    counts = Counter(short(kind) for kind in kinds)
    if not counts:
        return []
    names = ", ".join(name if count == 1 else f"{name} ({count})" for name, count in counts.most_common(12))
    more = ", ..." if len(counts) > 12 else ""
    return [Note("missing", None, {"count": counts.total(), "total": total, "names": names + more})]


def about(code: str, node: str, title: str, input: str, value: object = "") -> Note:
    told = value if isinstance(value, str) else json.dumps(value)
    return Note(code, node, {"title": short(title), "input": input, "value": short(told)})


def short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
