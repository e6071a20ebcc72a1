"""A hook of MkDocs: the files beside `docs/` that a page links to become part of the site, under `files/`."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")


def _outside(page: Path, link: str, root: Path) -> Path | None:
    """What a link means, if that exists beside `docs/`."""
    path = Path(os.path.normpath(page.parent / link))
    inside = path.is_relative_to(root / "docs") or not path.is_relative_to(root)
    return None if inside or not path.exists() else path.relative_to(root)


def _text(path: Path) -> str:
    # The site's own pages are Markdown; a plain text is served as it is, and a folder as a list.
    return "\n".join(f"- {one.name}" for one in sorted(path.iterdir())) if path.is_dir() else path.read_text()


def _served(path: Path) -> str:
    return f"files/{path.as_posix()}.txt"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add every file or folder that a page links to."""
    root = Path(config.docs_dir).parent
    for page in list(files.documentation_pages()):
        source = Path(page.abs_src_path or "")
        for link in _LINK.findall(page.content_string):
            path = _outside(source, link, root)
            if path and not files.get_file_from_path(_served(path)):
                files.append(File.generated(config, _served(path), content=_text(root / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Point such a link at the copy."""
    root = Path(config.docs_dir).parent
    source = Path(page.file.abs_src_path or "")
    up = "../" * page.file.src_uri.count("/")

    def pointed(found: re.Match[str]) -> str:
        path = _outside(source, found[1], root)
        return f"]({up}{_served(path)}" if path else found[0]

    return _LINK.sub(pointed, markdown)
