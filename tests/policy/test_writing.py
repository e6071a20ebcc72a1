"""A file is written whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from policy_cache.policy.write.file import replacing, write


def test_a_file_that_is_not_there_appears(tmp_path):
    path = tmp_path / "policy.yaml"
    with replacing(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"


def test_it_has_the_permissions_of_the_one_before_from_the_first_byte_on(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path) as file:
        assert os.fstat(file.fileno()).st_mode & 0o777 == 0o640
    assert path.stat().st_mode & 0o777 == 0o640


def test_the_longest_name(tmp_path):
    path = tmp_path / ("a" * 255)
    write(path, b"new")
    assert path.read_bytes() == b"new"


def test_where_the_block_fails_all_stays_as_it_was(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"old")

    def interrupted():
        with replacing(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_link_is_replaced_and_what_it_leads_to_is_not(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write(link, b"new")
    assert (target.read_bytes(), link.read_bytes(), link.is_symlink()) == (b"old", b"new", False)


@pytest.mark.parametrize("path", [Path(os.devnull), Path("/")])
def test_what_is_no_plain_file_is_refused(path):
    with pytest.raises(FileExistsError, match="not a plain file"):
        write(path, b"new")


def test_what_is_read_only_is_not_replaced(tmp_path, monkeypatch):
    path = tmp_path / "policy.yaml"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anything
    with pytest.raises(PermissionError, match="it is read-only"):
        write(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
