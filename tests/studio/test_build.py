"""What is committed of the page is built of what is committed of its sources."""

from __future__ import annotations

import hashlib
import json
import re

from policy_cache.studio.page import FILES
from tests.conftest import REPOSITORY

SOURCES = REPOSITORY / "studio"
STATIC = REPOSITORY / "policy_cache" / "studio" / "static"
BUILT = json.loads((STATIC / "build.json").read_text(encoding="utf-8"))


def digests(folder, files):
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files
    }


def test_it_is_built_of_these_sources():
    """Run `make studio` where this fails."""
    files = [file for file in SOURCES.iterdir() if file.is_file()]
    assert digests(SOURCES, [*files, *(SOURCES / "src").iterdir()]) == BUILT["sources"]


def test_it_is_what_was_built():
    files = [file for file in STATIC.iterdir() if file.name != "build.json"]
    assert digests(STATIC, files) == BUILT["files"]


def test_all_of_it_is_served():
    assert set(BUILT["files"]) <= set(FILES)


def test_it_is_small_and_asks_nothing_of_another_site():
    script = (STATIC / "studio.js").read_text(encoding="utf-8")
    assert len(script) < 500_000
    known = {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/1998/Math/MathML",
    }
    assert set(re.findall(r"https?://[\w./-]+", script)) <= known


def test_the_licence_of_every_package_is_there():
    text = (STATIC / "licenses.txt").read_text(encoding="utf-8")
    for name in ("@codemirror/view", "@codemirror/lang-yaml", "@lezer/common", "style-mod"):
        assert f"{name} " in text
    assert text.count("Permission is hereby granted") == text.count("\n---\n") + 1
