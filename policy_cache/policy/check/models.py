"""The models that providers have, as far as litellm's map knows them; litellm itself is not asked."""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from policy_cache.request.names import Names
from policy_cache.text.words import meant

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"[a-z]{4,}")
_SHORT_WORD = re.compile(r"[a-z]{3,}")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])([-.])(?=[0-9])")


@lru_cache(maxsize=1)
def known_models() -> Mapping[str, tuple[str, ...]]:
    """Models by provider. A provider whose models have free names, such as a deployment's, is absent."""
    text = files("policy_cache.policy.check").joinpath("models.txt").read_text(encoding="utf-8")
    known: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            provider, _, model = line.partition("/")
            known.setdefault(provider, []).append(model)
    return MappingProxyType({provider: tuple(models) for provider, models in known.items()})


@lru_cache(maxsize=1024)
def models_of(providers: tuple[str, ...]) -> tuple[str, ...] | None:
    """The models of providers given by globs, of all of them for none; None where names are free."""
    known = known_models()
    if not providers:
        return tuple(sorted({model for models in known.values() for model in models}))
    if any(not _among(glob, tuple(known)) for glob in providers):
        return None
    names = Names(providers)
    return tuple(model for provider, models in known.items() if names.match(provider) for model in models)


@lru_cache(maxsize=4096)
def matching(wanted: tuple[str, ...], models: tuple[str, ...]) -> tuple[str, ...]:
    """The models that one of some globs or `re:` patterns matches."""
    names = Names(wanted, expressions=True)
    return tuple(model for model in models if names.match(model))


@lru_cache(maxsize=1024)
def meant_model(glob: str, models: tuple[str, ...]) -> str | None:
    """What a glob that matches no known model was probably meant to be: other separators, or another word.

    A version that is merely unknown gives no reason to suggest anything.
    """
    for other in ("-", "."):
        swapped = _BETWEEN_DIGITS.sub(other, glob)
        if swapped != glob and matching((swapped,), models):
            return swapped
    words = _words(models)
    for match in _WORD.finditer(glob.lower()):
        word = match.group()
        if _is_part(word, words, _open(glob, match.start() - 1), _open(glob, match.end())):
            continue
        if close := meant(word, words, cutoff=0.8):
            return glob[: match.start()] + close[0] + glob[match.end() :]
    return None


def _open(glob: str, at: int) -> bool:
    """Whether a word of a glob goes on at a place, where it has a wildcard."""
    return 0 <= at < len(glob) and glob[at] in "*?[]"


def _is_part(word: str, words: tuple[str, ...], left: bool, right: bool) -> bool:
    """Whether a known word is this one, or holds it where it is open."""
    return any(
        word in known and (left or known.startswith(word)) and (right or known.endswith(word))
        for known in words
    )


@lru_cache(maxsize=1024)
def is_foreign(glob: str, models: tuple[str, ...]) -> bool:
    """Whether a glob has words, and shares none with any of some models: not even the family is theirs."""
    matches = list(_SHORT_WORD.finditer(glob.lower()))
    words = _words(models, _SHORT_WORD)
    return bool(matches) and not any(
        _is_part(match.group(), words, _open(glob, match.start() - 1), _open(glob, match.end()))
        for match in matches
    )


@lru_cache(maxsize=64)
def _words(models: tuple[str, ...], word: re.Pattern[str] = _WORD) -> tuple[str, ...]:
    return tuple(sorted({text for model in models for text in word.findall(model.lower())}))


def _among(glob: str, known: tuple[str, ...]) -> bool:
    return "*" not in glob and "?" not in glob and "[" not in glob and glob.lower() in known
