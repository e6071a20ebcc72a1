"""A request without its words: its structure, its sizes, and a keyed hash of every text.

What is read back has stand-ins for the texts, as long as each was, and equal where the texts were.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import tempfile
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from policy_cache.providers.catalog import packaged_catalog
from policy_cache.request.media import reduced
from policy_cache.request.names import Names
from policy_cache.request.prompt import TOOL_ROLES
from policy_cache.request.tokens import chars
from policy_cache.trace.formats import FormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import msgspec

KEY_BYTES = range(16, 65)
"""The lengths that a key may have; blake2b takes no longer one."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Members whose text is a protocol's own word, or the name of a tool.
_WORDS = _names("""
    base_model custom_llm_provider detail effort location media_type mode model name prompt_cache_retention
    reasoning_effort role speed tool_choice ttl type
""")
# Members whose text only names something: hashed to a text, so that equal ones stay equal.
_IDS = _names("call_id id previous_response_id prompt_cache_key tool_call_id tool_id tool_use_id")
# Members hashed as a whole, whatever is in them.
_WHOLE = _names("""
    annotations arguments encrypted_content file file_data filename input input_audio input_schema json_schema
    parameters provider_specific_fields result schema video_url
""")
# Members that keep their place, and whose members are looked at in turn.
_OPEN = _names("""
    budget_tokens cache_control cache_control_injection_points caller citations content context control
    data defer_loading description enable_prompt_caching enabled extra_body format function function_call
    image_url index instructions is_error max_completion_tokens max_output_tokens max_tokens messages output
    output_config prompt_cache_breakpoint prompt_cache_options reasoning reasoning_content refusal
    response_format signature source stream strict summary system temperature text thinking thinking_blocks
    title tool_calls tools url
""")
_KNOWN = _WORDS | _IDS | _WHOLE | _OPEN
_WORD = re.compile(r"[\w.:/@-]{1,256}", re.ASCII)
# litellm reads a server's call from its id.
_SERVER = "srvtoolu_"
# Claude Code's first system block, which litellm drops on most routes.
_BILLING = "x-anthropic-billing-header:"
# What stands for a text, and what a text is restored from.
_LEAF_KEY = b'"chars":'
_HASH = re.compile(r"[0-9a-f]{32}")
# Where a file or sound has its bytes, or an address.
_HELD = ("data", "file_data", "url")
_LONGEST_MEDIA = 400
# What no request has: of one text, and of all.
_LONGEST = 50_000_000
_MOST_CHARS = 100_000_000
_ALPHABET = bytes(range(33, 127)).decode()


class Hasher:
    """Replaces the texts of requests, under one key.

    A text, and an argument, an image's bytes or a schema too, becomes `{"chars": …, "hash": …}`: its size
    as the token estimate counts it, and 16 bytes of keyed BLAKE2b. `"blank": true` stands beside them where
    there is nothing but space, which no provider lets a marker stand on, `"billing": true` for Claude
    Code's billing header, and `"media": …` a header that says an image's width and height, a PDF's pages, or
    how long sound or video is. Ids become a hash alone. Names that no provider is known to have are hashed
    too.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Take a key.

        Raises:
            ValueError: The key has fewer than 16 bytes or more than 64.
        """
        if len(key) not in KEY_BYTES:
            raise ValueError(f"expected a key of 16 to 64 bytes, found {len(key)}")
        self._key = key

    def request(self, request: Mapping[str, object]) -> dict[str, object]:
        """A recorded request without its words."""
        apart = {"api_base", "input", "metadata"}
        hashed: dict[str, object] = self._members(
            {name: value for name, value in request.items() if name not in apart}
        )
        if "input" in request:  # of a call, it is an argument, and hashed as a whole
            hashed["input"] = self._value("messages", request["input"])
        if isinstance(base := request.get("api_base"), str):
            hashed["api_base"] = self._base(base)
        if isinstance(metadata := request.get("metadata"), dict):
            # The operator chose the names.
            hashed["metadata"] = {
                name: self.id(value) if isinstance(value, str) else value for name, value in metadata.items()
            }
        return hashed

    def id(self, text: str) -> str:
        """A stand-in for a text that only names something."""
        return self._digest(text.encode("utf-8", "surrogatepass"))

    def _members(self, fields: Mapping[str, object]) -> dict[str, object]:
        hashed: dict[str, object] = {}
        for name, value in fields.items():
            if name not in _KNOWN:
                hashed[f"#{self.id(str(name))}"] = self._leaf(value)
            elif name == "name" and "role" in fields and fields["role"] not in TOOL_ROLES:
                hashed[name] = self._leaf(value)  # a person's
            else:
                hashed[name] = self._value(name, value)
        return hashed

    def _value(self, name: str, value: Any) -> object:  # noqa: ANN401, whatever stands there
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if name in _WHOLE:
            return self._leaf(value)
        if isinstance(value, dict):
            return self._members(value)
        if isinstance(value, (list, tuple)):
            return [self._value(name, item) for item in value]
        if name in _IDS and isinstance(value, str):
            return _SERVER * value.startswith(_SERVER) + self.id(value)
        word = name in _WORDS and isinstance(value, str) and _WORD.fullmatch(value)
        return value if word else self._leaf(value)

    def _leaf(self, value: object) -> dict[str, object]:
        if not isinstance(value, str):
            whole = json.dumps(value, separators=(",", ":"))
            leaf: dict[str, object] = {"chars": chars(value), "hash": self._digest(whole.encode())}
            fields = value if isinstance(value, dict) else {}
            held = next((fields[name] for name in _HELD if name in fields), None)
        else:
            leaf = {"chars": chars(value), "hash": self.id(value)}
            held = value
            if not value or value.isspace():
                leaf["blank"] = True
            elif value.startswith(_BILLING):
                leaf["billing"] = True
        if isinstance(held, str) and (media := reduced(held)) is not None:
            leaf["media"] = media
        return leaf

    def _base(self, base: str) -> str:
        """A host that leads to the same provider: only what the catalog knows of it stays."""
        host = urlsplit(base).hostname or ""
        glob = _known(host)
        return f"https://{glob.replace('*', self.id(host)) if glob else self.id(host) + '.invalid'}"

    def _digest(self, content: bytes) -> str:
        return blake2b(content, key=self._key, digest_size=16).hexdigest()


@lru_cache(1_024)
def _known(host: str) -> str | None:
    """The glob by which the catalog knows a host."""
    globs = (glob for provider in packaged_catalog().providers.values() for glob in provider.hosts)
    return next((glob for glob in globs if Names((glob,)).match(host)), None)


def kept_key(path: Path) -> bytes:
    """The key in a file, which is made, with mode 0600, where there is none.

    Raises:
        OSError: The file cannot be read or made, or holds no key.
    """
    if not path.exists():
        handle, made = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
            # Of several processes that make one, the first keeps its own, and no other reads half of it.
            with suppress(FileExistsError):
                os.link(made, path)
        finally:
            Path(made).unlink()
    key = path.read_bytes()
    if len(key) not in KEY_BYTES:
        raise OSError(errno.EINVAL, f"expected a key of 16 to 64 bytes, found {len(key)}", str(path))
    return key


def is_hashed(raw: msgspec.Raw) -> bool:
    """Whether a value may hold hashed texts."""
    return _LEAF_KEY in bytes(raw)


class Restorer:
    """Puts a text in the place of each hashed one of a request.

    What is written as a `Hasher` writes a text is one: in a plain trace, a client's tool may have members of
    the same names. Of a text of two characters, one in some 9,000 different ones has the same stand-in.

    Attributes:
        chars: How many characters the texts have so far.
        texts: How many texts there are so far.
    """

    __slots__ = ("chars", "texts")

    def __init__(self) -> None:
        """Begin a request."""
        self.chars = 0
        self.texts = 0

    def restored(self, value: Any) -> Any:  # noqa: ANN401, JSON
        """The value with a text for each hashed one.

        Raises:
            FormatError: The texts of the request are longer than any request.
        """
        if isinstance(value, dict):
            if _is_leaf(value):
                self.add(value["chars"], 1)
                return _stand_in(value["chars"], value["hash"], value)
            return {name: self.restored(item) for name, item in value.items()}
        return [self.restored(item) for item in value] if isinstance(value, list) else value

    def add(self, chars: int, texts: int) -> None:
        """Count texts of the request.

        Raises:
            FormatError: The texts of the request are longer than any request.
        """
        self.chars += chars
        self.texts += texts
        if self.chars > _MOST_CHARS:
            raise FormatError(f"its hashed texts have over {_MOST_CHARS:,} characters")


def _is_leaf(value: dict[str, Any]) -> bool:
    """Whether an object is as a `Hasher` writes a text."""
    chars, hashed, media = value.get("chars"), value.get("hash"), value.get("media")
    marked = any(value.get(mark) is True for mark in ("blank", "billing"))
    marked = marked or (isinstance(media, str) and len(media) <= _LONGEST_MEDIA)
    return (
        type(chars) is int
        and 0 <= chars <= _LONGEST
        and isinstance(hashed, str)
        and _HASH.fullmatch(hashed) is not None
        and len(value) == 2 + marked
    )


def _stand_in(chars: int, hashed: str, leaf: dict[str, Any]) -> str:
    if leaf.get("blank"):
        return " " * chars
    if media := leaf.get("media"):
        return f"{media}{hashed}"
    number = int(hashed, 16)
    symbols = []
    while number:
        number, digit = divmod(number, len(_ALPHABET))
        symbols.append(_ALPHABET[digit])
    text = "".join(symbols) or _ALPHABET[0]
    if leaf.get("billing"):
        text = _BILLING + text
    return (text * (chars // len(text) + 1))[:chars]
