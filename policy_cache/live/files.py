"""The files that an engine follows, read whole: on this machine, or at a URL that fsspec can read."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic
from policy_cache.errors import PolicyError
from policy_cache.policy.text.file import MAX_BYTES, read_bytes
from policy_cache.providers.file import load_catalog

if TYPE_CHECKING:
    from os import PathLike

    from policy_cache.providers.catalog import Catalog

# A URL may carry a password or a signature; neither belongs in a log.
_SECRET = re.compile(r"(?<=://)[^/?#]*@|\?.*", re.DOTALL)


def read(paths: tuple[str, ...]) -> list[bytes]:
    """The content of each file.

    Raises:
        PolicyError: One cannot be read.
    """
    return [_fetch(path) if "://" in path else read_bytes(Path(path)) for path in paths]


def _fetch(url: str) -> bytes:
    try:
        fsspec = import_module("fsspec")
    except ImportError:
        message = "a URL is read by the package fsspec, which is not installed"
        raise _unreadable(url, message, help="pip install fsspec") from None
    try:
        fsspec.get_filesystem_class(url.partition("://")[0].rpartition("::")[2])
    except (ImportError, ValueError) as error:
        # An unknown protocol, or the package that it needs.
        raise _unreadable(url, f"fsspec cannot read this URL: {error}") from None
    try:
        system, path = fsspec.url_to_fs(url)
        data: bytes = system.cat_file(path, end=MAX_BYTES + 1)
    except Exception as error:  # noqa: BLE001, every file system has its own
        # Its message may hold the URL, or the number of the request: it is neither safe nor said once.
        raise _unreadable(url, f"the file cannot be read: {type(error).__name__}") from None
    return data


def _unreadable(url: str, message: str, help: str | None = None) -> PolicyError:
    return PolicyError([Diagnostic("PC102", "error", message, help=help, file=shown(url))])


def shown(path: str) -> str:
    """How a path is named: as `Engine.from_file` does, and a URL without its secrets."""
    return _SECRET.sub("", path) if "://" in path else str(Path(path))


def catalog_of(path: str | PathLike[str] | None) -> Catalog | None:
    """What a file says of providers; None where none is named.

    Raises:
        PolicyError: It cannot be read, or is not valid.
    """
    return None if path is None else load_catalog(path)
