"""Workflows as the command line meets them: a JSON file, standard input, or a picture that carries its workflow."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from graph.parameters import with_parameters
from graph.problems import InvalidGraph
from graph.workflow import Workflow, load, load_parsed, parse_json
from jobs.exits import Exit, Failure

PNG = b"\x89PNG\r\n\x1a\n"
KEYWORDS = (b"workflow", b"prompt")
"""Where a PNG has its workflow; ComfyUI has what runs of it under the second."""
Reads = Callable[[object], Workflow]
MAX_TEXT = 64 << 20


class BadDocument(Failure):
    """The file is not a workflow and carries none."""

    def __init__(self, message: str) -> None:
        super().__init__(Exit.BAD_DATA, message)


class BadAssignment(Failure):
    """A `--set` that cannot be carried out."""

    def __init__(self, message: str) -> None:
        super().__init__(Exit.USAGE, message)


def read_workflow(source: str, stdin: BinaryIO, reads: Reads = load_parsed) -> Workflow:
    """The workflow in the file `source` ("-" is `stdin`). `reads` makes it of the JSON value. Raises BadDocument."""
    try:
        data = stdin.read() if source == "-" else Path(source).read_bytes()
        return reads(parse_json(_carried(data) if data.startswith(PNG) else data))
    except InvalidGraph as error:
        raise BadDocument(f"{source}: {error}") from error
    except OSError as error:
        raise BadDocument(f"{source}: {error.strerror}") from error


def assign(workflow: Workflow, assignments: Sequence[str]) -> Workflow:
    """The workflow with each `NODE.INPUT=VALUE` set; NODE is an id, VALUE is JSON, or else the text itself.
    `NAME=VALUE` sets a parameter of the workflow's interface.

    Raises BadAssignment. Whether the input takes the value is found out when the graph is built.
    """
    document = json.loads(json.dumps(workflow.document))
    for assignment in assignments:
        target, equals, text = assignment.partition("=")
        id, dot, name = target.rpartition(".")
        if equals and target and not dot:
            document = _with_parameter(document, target, _value(text))
            continue
        if not (equals and dot and id and name):
            raise BadAssignment(f"expected --set NODE.INPUT=VALUE, got {assignment!r}")
        node = document["nodes"].get(id)
        if not isinstance(node, dict):
            known = ", ".join(document["nodes"])
            raise BadAssignment(f"--set {assignment}: there is no node {id!r}; the nodes are {known}")
        inputs = cast("dict[str, Any]", node).setdefault("inputs", {})
        inputs[name] = _value(text)
    return load(document)


def titles(workflow: Workflow) -> dict[str, str]:
    """What a person calls each node."""
    return {id: str(node.get("title") or node.get("type")) for id, node in workflow.nodes.items()}


def _with_parameter(document: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    try:
        return with_parameters(document, {name: value})
    except InvalidGraph as error:
        raise BadAssignment(f"--set {name}: {error}; expected NODE.INPUT=VALUE or PARAMETER=VALUE") from error


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _carried(data: bytes) -> bytes:
    """The text chunk "workflow" of a PNG file, else "prompt", UTF-8."""
    texts: dict[bytes, tuple[bytes, bytes]] = {}
    for kind, content in _chunks(data):
        if kind in _TEXTS:
            texts.setdefault(content.partition(b"\0")[0], (kind, content))
    for keyword in KEYWORDS:
        if keyword in texts:
            kind, content = texts[keyword]
            try:
                return _TEXTS[kind](content.partition(b"\0")[2])
            except (zlib.error, IndexError) as error:
                raise BadDocument(
                    f"the picture is damaged: its text chunk {keyword.decode()!r} cannot be read: {error}"
                ) from error
    raise BadDocument("the picture carries no workflow: it has no text chunk 'workflow'")


def _international(rest: bytes) -> bytes:
    """What follows the keyword of iTXt: a flag, a method, language, translated keyword, text (PNG 1.2, 4.2.3.3)."""
    text = rest[2:].split(b"\0", 2)[2]
    return _inflated(text) if rest[0] else text


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, MAX_TEXT)
    if unpacker.unconsumed_tail:
        raise BadDocument(f"the workflow in the picture is over {MAX_TEXT} bytes")
    return text


_TEXTS: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {
    b"tEXt": lambda rest: rest.decode("latin-1").encode(),
    b"zTXt": lambda rest: _inflated(rest[1:]).decode("latin-1").encode(),
    b"iTXt": _international,
}


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = len(PNG)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            break
        content = data[position + 8 : end]
        (checksum,) = struct.unpack_from(">I", data, end)
        if zlib.crc32(kind + content) != checksum:
            raise BadDocument(f"the picture is damaged: chunk {kind.decode('latin-1')} has a wrong checksum")
        if kind == b"IEND":
            return
        yield kind, content
        position = end + 4
    raise BadDocument("the picture is cut short: it has no IEND chunk")
