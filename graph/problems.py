"""What is wrong with a document: problems, each saying where, what was expected, what came, what was meant."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Code = Literal[
    "bad_document",
    "too_large",
    "unknown_node",
    "unknown_input",
    "missing_input",
    "wrong_type",
    "bad_value",
    "missing_link",
    "unknown_output",
    "cycle",
    "no_sink",
    "unknown_target",
]


MOST: Final = 200
MOST_WORDS: Final = 2000


@dataclass(frozen=True)
class Problem:
    code: Code
    node: str | None
    port: str | None
    message: str
    expected: str | None = None
    got: str | None = None
    hint: str | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class InvalidGraph(ValueError):
    """The document cannot run; `problems` are all of them, or the first MOST."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        shown = "; ".join(problem.message for problem in problems[:5])
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        super().__init__(shown + more)
        self.problems = tuple(problems)


class Problems(list[Problem]):
    """The problems found so far. Raises InvalidGraph at MOST of them, so that a hopeless document costs no more than
    a bad one; inputs that are only missing do not count, as they matter only where they are wanted."""

    def __init__(self) -> None:
        super().__init__()
        self._counted = 0

    def append(self, problem: Problem) -> None:
        super().append(problem)
        self._counted += problem.code != "missing_input"
        if self._counted >= MOST:
            raise InvalidGraph(self)

    def extend(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self.append(problem)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word a person may have meant, as a hint; none among more words than anyone chooses from."""
    lowered = {name.lower(): name for name in known}
    if len(lowered) > MOST_WORDS:
        return None
    close = difflib.get_close_matches(word.lower()[:200], lowered, n=1, cutoff=0.6)
    return f"did you mean {lowered[close[0]]!r}?" if close else None


def shown(value: object) -> str:
    """A constant as it is shown in a message: short, whatever came."""
    if isinstance(value, list):
        return f"a list of {len(value)}"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str):
        return json.dumps(value if len(value) <= 60 else value[:57] + "...", ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**60:
        return "a number of more than 60 digits"
    if isinstance(value, int | float):
        return repr(value)
    return type(value).__name__
