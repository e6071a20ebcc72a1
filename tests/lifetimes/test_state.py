"""What is kept over a restart."""

from __future__ import annotations

import json

import pytest

from policy_cache import Engine
from policy_cache.lifetimes import Lifetimes
from tests.lifetimes.streams import Stream, request
from tests.lifetimes.test_lifetimes import HOUR, SHARED, names


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lifetimes.json"


@pytest.fixture
def learned(file):
    stream = Stream(state=file)
    stream.live(names(20), [600.0] * 6)
    stream.now += 4_000
    stream.send(request("last"))
    stream.lifetimes.save()
    return stream


def test_a_restart_forgets_nothing_of_pauses(learned, file):
    again = Stream(state=file)
    again.now = learned.now
    assert again.ttls(request("new")) == learned.ttls(request("new")) == HOUR


@pytest.mark.usefixtures("learned")
def test_kinds_are_met_again(file):
    again = Stream(state=file)
    again.send(request("new"))
    (known,) = again.lifetimes._kinds.values()
    assert known.conversations.seen > 50


def test_it_is_written_while_requests_come(file):
    stream = Stream(state=file)
    stream.talk("a", [10.0] * 5)
    assert not file.exists()
    stream.send(request("a"), 60)
    assert json.loads(file.read_text())["version"] == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"version": 2}', '{"version": 1, "bounds": [1], "all": [], "kinds": {}}']
    + [
        json.dumps({"version": 1, "bounds": [300.0, 600.0, 1200.0, 2400.0, 3600.0], "all": all_, "kinds": {}})
        for all_ in ([], [[[1], [1]], [[1], [1]]], [[["x"] * 6, [0] * 6]] * 2, [[[-1] * 6, [0] * 6]] * 2)
    ],
)
def test_a_file_that_is_not_right_is_begun_anew(file, caplog, text):
    file.write_text(text)
    stream = Stream(state=file)
    assert stream.ttls(request("new")) == SHARED
    assert "could not be read" in caplog.text
    stream.lifetimes.save()
    assert json.loads(file.read_text())["version"] == 1


def test_a_folder_that_is_not_there_costs_no_request(tmp_path, caplog):
    stream = Stream(state=tmp_path / "absent" / "file.json")
    stream.talk("a", [70.0, 70.0])
    assert caplog.text.count("could not be written") == 1
    assert stream.engine.failures == {}


def test_a_routers_block_names_it(file, tmp_path):
    engine = Engine.from_config({"state": str(file)})
    engine.lifetimes.save()
    assert file.exists()
    with Engine.from_config({"state": str(tmp_path / "other.json"), "watch": True}) as live:
        assert live.engine.lifetimes is live.lifetimes
    assert (tmp_path / "other.json").exists()


def test_no_half_file_is_left(file):
    Lifetimes(state=file).save()
    assert [path.name for path in file.parent.iterdir()] == [file.name]
