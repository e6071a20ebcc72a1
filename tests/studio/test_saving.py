"""A policy is saved where that was asked for, whole, and nowhere else."""

from __future__ import annotations

import stat
from codecs import BOM_UTF8
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.studio.conftest import POLICY, studio_of

NEW = POLICY.replace("team", "new")


def save(asking, text=NEW, name=None, seen=None):
    return asking.post("save", {"text": text, "name": name, "seen": seen})


def everything(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_the_file_is_written_as_it_was_seen(saves):
    asking, root = saves
    (root / "policy.yaml").chmod(0o640)
    seen = asking.post("start").json()["seen"]
    answer = save(asking, seen=seen)
    assert answer.status_code == 200
    assert everything(root) == {"policy.yaml": NEW.encode()}
    assert stat.S_IMODE((root / "policy.yaml").stat().st_mode) == 0o640
    again = save(asking, POLICY, seen=answer.json()["seen"])
    assert again.status_code == 200
    assert everything(root) == {"policy.yaml": POLICY.encode()}


def test_a_change_of_someone_else_is_not_written_over_unseen(saves):
    asking, root = saves
    seen = asking.post("start").json()["seen"]
    (root / "policy.yaml").write_text("# theirs\n", encoding="utf-8")
    answer = save(asking, seen=seen)
    assert answer.status_code == 409
    assert answer.json()["error"] == "policy.yaml has changed since it was read"
    assert everything(root) == {"policy.yaml": b"# theirs\n"}
    assert save(asking, seen=answer.json()["seen"]).status_code == 200
    assert everything(root) == {"policy.yaml": NEW.encode()}


def test_of_several_at_once_one_is_written(saves):
    asking, root = saves
    texts = [f"# {number}\n" * 20_000 for number in range(12)]
    for round_ in range(5):
        name = f"{round_}.yaml"
        with ThreadPoolExecutor(len(texts)) as pool:
            codes = [one.status_code for one in pool.map(lambda text: save(asking, text, name), texts)]  # noqa: B023
        assert sorted(codes) == [200] + [409] * (len(texts) - 1)
        assert (root / "policies" / name).read_text("utf-8") == texts[codes.index(200)]


def test_a_byte_order_mark_stays(saves):
    asking, root = saves
    (root / "policy.yaml").write_bytes(BOM_UTF8 + POLICY.encode())
    seen = save(asking, seen=None).json()["seen"]
    assert save(asking, seen=seen).status_code == 200
    assert (root / "policy.yaml").read_bytes() == BOM_UTF8 + NEW.encode()


def test_half_a_surrogate_pair_is_not_saved(saves):
    asking, root = saves
    answer = save(asking, "\ud83d", name="half.yaml")
    assert (answer.status_code, answer.json()["error"]) == (
        422,
        "the policy holds half of a surrogate pair, which has no UTF-8",
    )
    assert everything(root / "policies") == {}


def test_a_name_in_the_folder(saves):
    asking, root = saves
    assert save(asking, name="mine.yaml").status_code == 200
    assert everything(root / "policies") == {"mine.yaml": NEW.encode()}
    answer = save(asking, POLICY, name="mine.yaml")
    assert (answer.status_code, answer.json()["error"]) == (409, "mine.yaml exists")
    assert everything(root / "policies") == {"mine.yaml": NEW.encode()}


@pytest.mark.parametrize(
    "name",
    [
        "../out.yaml",
        "..",
        "",
        ".yaml",
        ".hidden.yaml",
        "a/b.yaml",
        "a\\b.yaml",
        "/out.yaml",
        "C:out.yaml",
        "out.py",
        "out.yaml\n",
        "out.yaml\0",
        "out.yaml/",
        "~root.yaml",
        "x" * 200 + ".yaml",
    ],
)
def test_a_name_that_leads_out_of_the_folder(saves, name):
    asking, root = saves
    before = everything(root)
    answer = save(asking, name=name)
    assert answer.status_code == 422
    assert everything(root) == before


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_the_folder_is_not_followed(saves, exists):
    asking, root = saves
    outside = root / "outside.yaml"
    if exists:
        outside.write_text("# outside\n", encoding="utf-8")
    (root / "policies" / "link.yaml").symlink_to(outside)
    before = everything(root)
    assert save(asking, name="link.yaml").status_code == 422
    assert everything(root) == before
    assert (root / "policies" / "link.yaml").is_symlink()


def test_a_folder_that_became_a_link_is_not_followed(saves):
    asking, root = saves
    (root / "policies").rmdir()
    (root / "elsewhere").mkdir()
    (root / "policies").symlink_to(root / "elsewhere")
    assert save(asking, name="mine.yaml").status_code == 422
    assert list((root / "elsewhere").iterdir()) == []


def test_a_file_that_became_a_link_is_not_followed(saves):
    asking, root = saves
    seen = asking.post("start").json()["seen"]
    (root / "policy.yaml").rename(root / "other.yaml")
    (root / "policy.yaml").symlink_to(root / "other.yaml")
    assert save(asking, seen=seen).status_code == 422
    assert (root / "other.yaml").read_text() == POLICY


def test_a_folder_of_that_name_is_no_file(saves):
    asking, root = saves
    (root / "policies" / "mine.yaml").mkdir()
    assert save(asking, name="mine.yaml").status_code == 422


def test_a_folder_that_is_gone_says_so_in_a_sentence(saves):
    asking, root = saves
    (root / "policies").rmdir()
    answer = save(asking, name="mine.yaml")
    assert (answer.status_code, answer.json()) == (422, {"error": "No such file or directory"})


def test_nothing_is_saved_unless_that_was_asked_for(asking):
    for name in (None, "mine.yaml"):
        answer = save(asking, name=name)
        assert answer.status_code == 422
        assert "start with --" in answer.json()["error"]


def test_a_file_alone_allows_no_other_name(tmp_path):
    file = tmp_path.resolve() / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    with studio_of(file=file) as asking:
        assert save(asking, name="mine.yaml").status_code == 422
    assert everything(tmp_path) == {"policy.yaml": POLICY.encode()}
