# ruff: noqa: ARG001, ARG005 - planted bugs ignore what they should not
"""Bugs planted into the engine one at a time, each to be caught by the state machine or by the engine's tests:
`python -m bench.planted`. Prints who caught each; exits 1 when one got away."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from torch import Tensor

from graph import bind, cache, demand, growth, keys, matching, past, plan, standing, values
from graph.tiers import index
from nodes import values as tensor_values

Plant = Callable[[], contextlib.AbstractContextManager[Any]]
TESTS = (
    "tests/graph/test_minimal.py",
    "tests/graph/test_keys.py",
    "tests/graph/test_graph.py",
    "tests/graph/test_executor.py",
    "tests/graph/test_lazy.py",
    "tests/graph/test_lists.py",
    "tests/graph/test_sharing.py",
    "tests/graph/test_processes.py",
    "tests/graph/test_cache.py",
    "tests/graph/test_reasons.py",
    "tests/graph/test_flatten.py",
    "tests/nodes/test_control.py",
    "tests/graph/test_machine.py",
    "tests/nodes/test_values.py",
    "tests/graph/tiers/test_disk.py",
)


def swap(where: object, name: str, made: Callable[[Any], Any]) -> Plant:
    """Put something made of the original in its place."""
    return lambda: patch.object(where, name, made(getattr(where, name)))


@contextmanager
def everywhere(name: str, bug: Callable[..., Any], *modules: object) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for module in modules:
            stack.enter_context(patch.object(module, name, bug))
        yield


def scalar_without_type(original: Any) -> Any:
    return lambda value: (
        original(float(value)) if isinstance(value, bool | int) and abs(value) < 2**53 else original(value)
    )


def scalar_unsigned_zero(original: Any) -> Any:
    return lambda value: original(value + 0.0) if isinstance(value, float) else original(value)


def head_of(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda original: lambda spec: original(change(spec))


def default_not_normalised(original: Any) -> Any:
    def prepare(spec: Any) -> Any:
        head, inputs = original(spec)
        return head, tuple(one._replace(default_key=b"default") for one in inputs)

    return prepare


def keys_alike(original: Any) -> Any:
    return lambda node, identity, parents: original(node, identity, ())


def key_of_identity(identity: bytes, arrived: Any) -> bytes:
    return keys.blake2b(b"V" + identity, digest_size=16).digest()


def one_fingerprint_for_all(original: Any) -> Any:
    def fingerprints(self: Any, key: bytes, outputs: Any, known: Any) -> Any:
        prints = original(self, key, outputs, known)
        return dict.fromkeys(prints, next(iter(prints.values()), b""))

    return fingerprints


def by_how_it_was_made(original: Any) -> Any:
    return lambda key, output, content: original(key, output, None)


def file_by_name(original: Any) -> Any:
    return lambda nodes, files: [node.head for node in nodes]


def forgets_records(original: Any) -> Any:
    def known(self: Any, key: bytes) -> Any:
        record = original(self, key)
        return record if record is None or self.holds(record) else None

    return known


def outputs_swapped(original: Any) -> Any:
    def finished(self: Any, i: int, outputs: Any, record: Any, seconds: float) -> None:
        names = list(outputs)
        original(self, i, dict(zip(names, reversed(list(outputs.values())))), record, seconds)

    return finished


def everything_is_eager(original: Any) -> Any:
    return lambda self, i: self.parents[i]


def lazy_not_in_key(original: Any) -> Any:
    return lambda key, link, arrived: original(key, link, b"")


def reads_never_remembered(original: Any) -> Any:
    return lambda self, i, link: None


def always_held(original: Any) -> Any:
    return lambda self, i: False


def no_twins(original: Any) -> Any:
    def lead(self: Any, i: int) -> None:
        self._work_key[i] = b"%d" % i
        self._leader[self._work_key[i]] = i
        self._gather(i)

    return lead


def boards_always(original: Any) -> Any:
    return lambda self, i, key: True


def item_without_index(original: Any) -> Any:
    return lambda list, index: original(list, 0)


def links_in_any_order(original: Any) -> Any:
    return lambda name, value: dict(sorted(original(name, value).items(), key=lambda pair: pair[1]))


def volatile_like_others(original: Any) -> Any:
    return property(lambda self: "")


def grown_keyed_alone(original: Any) -> Any:
    return lambda self, owner, grown, name, node, places: original(
        self, owner, grown, name, replace(node, head=node.head + str(owner).encode() + grown.count.to_bytes(4)), places
    )


def tensors_as_doubles(original: Any) -> Any:
    return lambda parts: original(part.double() if isinstance(part, Tensor) else part for part in parts)


def written_over(original: Any) -> Any:
    return lambda self, stored: original(self, None)


def same_as_before(original: Any) -> Any:
    return lambda self, id, node: self._before.matched[id] if self._before.nodes.get(id) is node else None


def unchecked(original: Any) -> Any:
    return lambda key, row: row[index.CHECK :]


BUGS: tuple[tuple[str, Plant], ...] = (
    ("constants keyed without their type", swap(values, "_encode_scalar", scalar_without_type)),
    ("-0.0 keyed as 0.0", swap(values, "_encode_scalar", scalar_unsigned_zero)),
    (
        "key without the version of the definition",
        swap(bind, "_prepare", head_of(lambda spec: replace(spec, version=""))),
    ),
    ("key without the definition", swap(bind, "_prepare", head_of(lambda spec: replace(spec, id="")))),
    (
        "key without the names of outputs read",
        swap(bind, "encode_text", lambda o: lambda t: o(t if t not in ("half", "rest") else "")),
    ),
    (
        "structural key without parents",
        lambda: everywhere("structural_key", keys_alike(keys.structural_key), keys, plan),
    ),
    ("value key without what arrived", lambda: everywhere("value_key", key_of_identity, plan, demand)),
    ("file keyed by its name", lambda: everywhere("identities", file_by_name(keys.identities), plan, growth)),
    ("one fingerprint for all outputs", swap(cache.Cache, "_fingerprints", one_fingerprint_for_all)),
    ("early cutoff by how a value was made", swap(cache, "fingerprint", by_how_it_was_made)),
    ("an evicted result forgets what it was", swap(cache.Cache, "known", forgets_records)),
    ("outputs of a node exchanged", swap(demand.Demand, "finished", outputs_swapped)),
    ("a written default keyed apart", swap(bind, "_prepare", default_not_normalised)),
    ("lazy inputs demanded like others", swap(plan.Plan, "eager", everything_is_eager)),
    (
        "a lazy input that was read is not keyed",
        lambda: everywhere("read_key", lazy_not_in_key(keys.read_key), plan, demand),
    ),
    ("what was read lazily is not remembered", swap(demand.Demand, "_note_read", reads_never_remembered)),
    ("equal nodes of one run both run", swap(demand.Demand, "_lead_or_follow", no_twins)),
    ("two jobs at once both compute", swap(standing.Boarding, "join", boards_always)),
    (
        "items of a list keyed without their index",
        lambda: everywhere("item_key", item_without_index(keys.item_key), growth),
    ),
    ("links of one input in any order", swap(bind, "_links", links_in_any_order)),
    ("a volatile node kept like others", swap(bind.Node, "volatile", volatile_like_others)),
    ("what grows keyed by where it grew", swap(growth.Growth, "add_node", grown_keyed_alone)),
    ("tensors keyed without their dtype", swap(tensor_values, "_digest", tensors_as_doubles)),
    ("rows of the disk cache believed unchecked", swap(index, "opened", unchecked)),
    ("what others learned is written over", swap(past.History, "merged", written_over)),
    ("a node matched as before whatever it reads now", swap(matching.Matcher, "_same_as_before", same_as_before)),
    ("intermediates never let go", swap(standing.Standing, "_lets_go", always_held)),
)


class Caught:
    """Remembers the first test that failed."""

    def __init__(self) -> None:
        self.by = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and not self.by:
            self.by = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed and not self.by:
            self.by = report.nodeid


def catch(plant: Plant) -> str:
    caught = Caught()
    with plant(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        pytest.main(["-x", "-q", "--no-header", *TESTS], plugins=[caught])
    return caught.by


def main() -> int:
    missed = 0
    sound = catch(contextlib.nullcontext)
    print(f"{'no bug':45} {'FALSE ALARM ' + sound if sound else 'all tests pass'}")
    for name, plant in BUGS:
        by = catch(plant)
        missed += not by
        print(f"{name:45} {by or 'GOT AWAY'}", flush=True)
    print(f"{len(BUGS) - missed} of {len(BUGS)} planted bugs caught")
    return 1 if missed or sound else 0


if __name__ == "__main__":
    sys.exit(main())
