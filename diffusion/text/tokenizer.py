"""Text to token ids: CLIP's byte-pair and T5's unigram tokenizer, built from the vocabularies in data/."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Protocol

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

DATA = Path(__file__).parent / "data"

CLIP_BEGIN = 49406
CLIP_END = 49407
CLIP_VOCABULARY = 49408
T5_PAD = 0
T5_END = 1

_MERGES = 48894  # 49,408 entries less 512 bytes (each plain and as word end) and two special tokens
_CLIP_WORDS = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Tokenize(Protocol):
    """A text's token ids, without begin, end or padding."""

    def __call__(self, text: str) -> list[int]: ...


def clip_tokenizer() -> Tokenize:
    """The tokenizer of every CLIP text tower (L, H, bigG): lower case, whitespace collapsed, ids 0..49407."""
    tokenizer = _clip()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def clip_piece(id: int) -> str:
    """The text of a token; a space ends a word. Bytes that are no whole letter are shown as such."""
    return clip_bytes(id).decode(errors="backslashreplace")


def clip_bytes(id: int) -> bytes:
    """The text of a token in UTF-8, which may be a part of a letter; a space ends a word."""
    token = _clip().id_to_token(id)
    if token is None or id in (CLIP_BEGIN, CLIP_END):
        return (token or f"<{id}>").encode()
    letters = bytes(_byte_letters_back()[letter] for letter in token.removesuffix("</w>"))
    return letters + b" " * token.endswith("</w>")


def t5_piece(id: int) -> str:
    """The text of a token; a space begins a word."""
    return (_t5().id_to_token(id) or f"<{id}>").replace("\u2581", " ")


@cache
def _clip() -> Tokenizer:
    vocabulary, merges = _clip_vocabulary()
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    return tokenizer


def t5_tokenizer() -> Tokenize:
    """The tokenizer of T5 v1.1 (XXL and kin), ids 0..31999."""
    tokenizer = _t5()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


@cache
def _t5() -> Tokenizer:
    pieces, charsmap = _read_sentencepiece(DATA / "spiece.model")
    unknown = next(index for index, (piece, _) in enumerate(pieces) if piece == "<unk>")
    tokenizer = Tokenizer(models.Unigram(pieces, unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(charsmap), normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    return tokenizer


def _clip_vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    lines = gzip.decompress((DATA / "bpe_simple_vocab_16e6.txt.gz").read_bytes()).decode().split("\n")
    merges = [(left, right) for left, right in (line.split() for line in lines[1 : 1 + _MERGES])]
    letters = _byte_letters()
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(left + right for left, right in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: index for index, token in enumerate(tokens)}, merges


@cache
def _byte_letters_back() -> dict[str, int]:
    """The byte each letter stands for."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return dict(zip(_byte_letters(), [*printable, *(byte for byte in range(256) if byte not in printable)]))


def _byte_letters() -> list[str]:
    """One printable letter for each of the 256 bytes, in vocabulary order: the printable bytes first, then the rest."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(256 - len(printable))]


def _read_sentencepiece(path: Path) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their log probability, and the normaliser's character map, of a SentencePiece ModelProto."""
    pieces: list[tuple[str, float]] = []
    charsmap = b""
    for field, content in _protobuf_fields(path.read_bytes()):
        if field == 1:
            piece = dict(_protobuf_fields(content))
            pieces.append((piece[1].decode(), struct.unpack("<f", piece[2])[0]))
        elif field == 3:
            charsmap = dict(_protobuf_fields(content)).get(2, b"")
    return pieces, charsmap


def _protobuf_fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Field number and raw bytes of each field (integers as the bytes of their varint)."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            _, end = _varint(message, position)
        elif wire == 2:
            length, position = _varint(message, position)
            end = position + length
        else:
            end = position + {1: 8, 5: 4}[wire]
        yield field, message[position:end]
        position = end


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position
