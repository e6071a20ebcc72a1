"""What is refused before YAML is looked at."""

import os
import sys

import pytest

from policy_cache.errors import PolicyError
from policy_cache.policy.load import load, loads
from policy_cache.policy.text.file import decode

POLICY = b"version: 1\nname: t\nrules: []\n"


def refusal(path):
    with pytest.raises(PolicyError) as caught:
        load(path)
    (diagnostic,) = caught.value.diagnostics
    return caught.value, diagnostic


@pytest.fixture
def written(tmp_path):
    def write(data):
        path = tmp_path / "team.yaml"
        path.write_bytes(data)
        return path

    return write


def test_missing(tmp_path):
    (tmp_path / "team.yaml").write_bytes(POLICY)
    error, diagnostic = refusal(tmp_path / "team.yml")
    assert (error.unreadable, diagnostic.code, diagnostic.span) == (True, "PC100", None)
    assert diagnostic.help == f"did you mean `{str(tmp_path / 'team.yaml')[:60]}" + (
        "`?" if len(str(tmp_path / "team.yaml")) <= 60 else "…`?"
    )
    assert str(error) == f"{tmp_path / 'team.yml'}: error[PC100]: no such file"


@pytest.mark.parametrize("name", ["nul\0byte.yaml", "team.yaml/below.yaml"])
def test_impossible_path(tmp_path, name):
    (tmp_path / "team.yaml").write_bytes(POLICY)
    error, diagnostic = refusal(f"{tmp_path}/{name}")
    assert (error.unreadable, diagnostic.code) == (True, "PC100")


def test_directory(tmp_path):
    error, diagnostic = refusal(tmp_path)
    assert (error.unreadable, diagnostic.code) == (True, "PC101")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs a file it may not read")
def test_forbidden(written):
    path = written(POLICY)
    path.chmod(0)
    error, diagnostic = refusal(path)
    assert (error.unreadable, diagnostic.code) == (True, "PC102")
    assert diagnostic.message == "the file cannot be read: Permission denied"


def test_name_too_long():
    error, diagnostic = refusal("x" * 5000)
    assert (error.unreadable, diagnostic.code) == (True, "PC102")


def test_too_large(written):
    error, diagnostic = refusal(written(POLICY + b"#" * 300 * 1024))
    assert (error.unreadable, diagnostic.code) == (False, "PC103")
    with pytest.raises(PolicyError, match="PC103"):
        loads("#" * 300 * 1024)


def test_byte_order_mark(written):
    loaded = load(written(b"\xef\xbb\xbf" + POLICY))
    assert loaded.policy.name == "t"
    assert loaded.source.values["version",].column == 10
    assert loads("\ufeff\ufeff" + POLICY.decode()).policy == loaded.policy


def test_not_utf8(written):
    _, diagnostic = refusal(written(b"version: 1\nname: caf\xe9\n"))
    assert diagnostic.code == "PC104"
    assert diagnostic.message == "byte 0xE9 on line 2 is not UTF-8"
    assert (diagnostic.span.line, diagnostic.span.column) == (2, 10)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_unicode_encodings(written, encoding):
    _, diagnostic = refusal(written(POLICY.decode().encode(encoding)))
    assert (diagnostic.code, diagnostic.help) == ("PC105", "save it as UTF-8")


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\ufffe", "\ud800"])
def test_control_characters(character):
    with pytest.raises(PolicyError) as caught:
        loads(f"version: 1\nname: é{character}\n")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "PC106"
    assert f"U+{ord(character):04X}" in diagnostic.message
    assert (diagnostic.span.line, diagnostic.span.column) == (2, 8)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_a_wide_encoding_is_read_as_far_as_to_show_its_first_line(encoding):
    with pytest.raises(PolicyError) as refused:
        decode("version: 1\nname: t\n".encode(encoding), "t.yaml")
    [diagnostic] = refused.value.diagnostics
    assert (diagnostic.code, diagnostic.span.line, diagnostic.span.column) == ("PC105", 1, 1)
    assert refused.value.lines == ("version: 1", "name: t", "")
