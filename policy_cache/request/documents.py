"""The pages of a PDF, as its page tree counts them: nothing of what they show is decoded."""

from __future__ import annotations

import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.request.encoded import Encoded

_WINDOW = 64 * 1024
_MOST_WORDS = 4_000
_MOST_INFLATED = 128 * 1024
# What is looked at is in proportion to the document, so that many small ones cost no more than a large one.
_BYTES_OF_A_WORD = 16
_LEAST_WORDS = 64
_INFLATED = 8

_TABLE = re.compile(rb"startxref\s+(\d{1,10})\s+%%EOF")
_FIRST = re.compile(rb"xref\s+0 \d{1,7}\s*?\r?\n")
_ROOT = re.compile(rb"/Root\s+(\d{1,7})\s+\d+\s+R\b")
_PAGES = re.compile(rb"/Pages\s+(\d{1,7})\s+\d+\s+R\b")
_LINEAR = re.compile(rb"/Linearized\b[^>]{0,200}?/N\s+(\d{1,6})\b")
_WORD = re.compile(
    rb"(?P<opens><<)|(?P<ends>>>)|/Type\s*(?P<tree>/Pages)\b|/Count\s+(?P<count>\d{1,6})\b|/Parent\b"
)
_OBJECTS = re.compile(rb"/Type\s*/ObjStm\b[^>]{0,200}>>\s{0,4}stream\r?\n")


@dataclass(slots=True)
class _Node:
    tree: bool = False
    branch: bool = False
    pages: int = 0


def pages_of(document: Encoded) -> int | None:
    """How many pages a PDF has.

    Args:
        document: What may be one; of a long one, only the beginning and the end are looked at.

    Returns:
        None where it is none, or where its page tree is elsewhere.
    """
    head = document.part(0, _WINDOW)
    if not head.startswith(b"%PDF-"):
        return None
    if linear := _LINEAR.search(head[:1024]):
        return int(linear[1])
    tail = document.part(max(0, document.size - _WINDOW), _WINDOW)
    words = min(_MOST_WORDS, _LEAST_WORDS + document.size // _BYTES_OF_A_WORD)
    inflated = min(_MOST_INFLATED, _INFLATED * document.size)
    for parts in ((_tree(document, tail),), (head, tail), _unpacked((head, tail), inflated)):
        listed = b"".join(part for part in parts if b"/Pages" in part)
        if counts := [*_counts(listed, words)]:
            return counts[-1]  # an editor writes what it changes behind the rest
    return None


def _tree(document: Encoded, tail: bytes) -> bytes:
    """The root of the page tree, where the document's table of objects leads; nothing where it has none."""
    tables, roots = _TABLE.findall(tail), _ROOT.findall(tail)
    if not tables or not roots:
        return b""
    catalog = _object(document, int(tables[-1]), int(roots[-1]))
    pages = _PAGES.search(catalog)
    return _object(document, int(tables[-1]), int(pages[1])) if pages else b""


def _object(document: Encoded, table: int, number: int) -> bytes:
    """The beginning of an object, by the table's entries of twenty bytes."""
    if (first := _FIRST.match(document.part(table, 64))) is None:
        return b""
    entry = document.part(table + first.end() + 20 * number, 20)
    return document.part(int(entry[:10]), _WINDOW).partition(b"endobj")[0] if entry[:10].isdigit() else b""


def _unpacked(windows: tuple[bytes, ...], most: int) -> Iterator[bytes]:
    """What the streams in the windows that hold objects stand for, up to so many bytes."""
    left = most
    for window in windows:
        end = 0
        while left and (found := _OBJECTS.search(window, end)):
            end = window.find(b"endstream", found.end())
            end = len(window) if end < 0 else end
            with suppress(zlib.error):
                objects = zlib.decompressobj().decompress(window[found.end() : end], left)
                left -= len(objects)
                yield objects


def _counts(part: bytes, words: int) -> Iterator[int]:
    """What roots of a page tree count: a branch has a parent, and an outline is of another type."""
    outer: list[_Node] = []
    node = _Node()
    for word in islice(_WORD.finditer(part), words):
        if word["opens"]:
            outer.append(node)
            node = _Node()
        elif word["ends"]:
            if node.tree and node.pages and not node.branch:
                yield node.pages
            node = outer.pop() if outer else _Node()
        elif word["tree"]:
            node.tree = True
        elif word["count"]:
            node.pages = int(word["count"])
        else:
            node.branch = True
