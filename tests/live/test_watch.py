"""Live reload: what is in force after each thing that can happen to a file. No test sleeps."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from policy_cache import Engine, PolicyError
from policy_cache.live import engine as module
from policy_cache.live.engine import LiveEngine
from policy_cache.policy.text.file import MAX_BYTES
from tests.engine.requests import ANTHROPIC, BIG, add, marked, policy

SYSTEM = policy(add("system"))
LAST = policy(add("messages.last"))
BAD = "version: 1\nname: p\nrules: 3\nrulez: []\n"
REQUEST = {
    "model": ANTHROPIC,
    "messages": [{"role": "system", "content": BIG}, {"role": "user", "content": BIG}],
}
AT_SYSTEM = [("$['messages'][0]['content'][0]", "5m")]
AT_LAST = [("$['messages'][1]['content'][0]", "5m")]
CATALOG = "version: 1\nproviders:\n  acme: {hosts: [%s.example]}\n"
LONGEST = 30  # seconds that a broken test waits


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(SYSTEM)
    return path


@pytest.fixture
def live(file):
    return LiveEngine(file)


@pytest.fixture
def said(caplog):
    """What has been logged since it was last asked: levels and messages."""
    caplog.set_level(logging.INFO, "policy_cache")

    def take():
        records = [(record.levelname, record.getMessage()) for record in caplog.records]
        caplog.clear()
        return records

    return take


def marks(live):
    return marked(live.rewrite(REQUEST))


def test_it_answers_as_an_engine_does(file, live):
    engine = Engine.from_file(file)
    assert marks(live) == AT_SYSTEM
    assert live.rewrite(REQUEST) == engine.rewrite(REQUEST)
    assert live.plan(REQUEST, alias="a").placements == engine.plan(REQUEST, alias="a").placements
    assert live.facts(REQUEST, metadata={"tenant": "acme"}).metadata == {"tenant": "acme"}
    assert live.policy.revision == engine.policy.revision
    assert live.policy.source.name == str(file)
    assert [rule.source.rule for rule in live.rules] == ["a"]


@pytest.mark.parametrize("method", ["rewrite", "plan", "facts"])
def test_each_argument_reaches_the_engine(live, method):
    given = {"provider": "p", "alias": "a", "metadata": {}, "headers": {}, "shape": "chat"}
    asked = []

    class Spy:
        def __getattr__(self, name):
            return lambda request, **rest: asked.append((name, request, rest)) or "answer"

    live.engine = Spy()
    assert getattr(live, method)(REQUEST, **given) == "answer"
    assert asked == [(method, REQUEST, given)]


def test_an_edit_is_taken(file, live, said):
    assert not live.refresh()
    file.write_text(LAST)
    assert marks(live) == AT_SYSTEM
    assert live.refresh()
    assert marks(live) == AT_LAST
    assert said() == [("INFO", f"{file} is in force, {live.policy.revision}")]
    assert live.policy.revision == Engine.from_file(file).policy.revision
    assert not live.refresh()
    assert said() == []


def test_an_engine_that_is_held_stays(file, live):
    held = live.engine
    file.write_text(LAST)
    assert live.refresh()
    assert marked(held.rewrite(REQUEST)) == AT_SYSTEM


def test_a_touch_is_not_an_edit(file, live):
    before = live.engine
    os.utime(file, (1, 1))
    assert not live.refresh()
    assert live.engine is before


def test_an_edit_that_keeps_time_and_size_is_seen(file, live):
    stat = file.stat()
    other = SYSTEM.replace("name: p", "name: q")
    file.write_text(other)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = file.stat()
    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (stat.st_mtime_ns, stat.st_size, stat.st_ino)
    assert live.refresh()
    assert live.policy.policy.name == "q"


def test_a_bad_edit_keeps_the_last_good_and_is_said_once(file, live, said):
    before, revision = live.engine, live.policy.revision
    file.write_text(BAD)
    assert not live.refresh()
    assert not live.refresh()
    assert live.engine is before
    assert marks(live) == AT_SYSTEM
    first, second = live.error.diagnostics
    ((level, message),) = said()
    assert level == "WARNING"
    assert message.splitlines() == [
        f"{file} is not used because of 2 errors, {revision} stays in force:",
        f"{file}:3:8: error[PC122]: {first.message}",
        f"{file}:4:1: error[PC120]: {second.message}",
    ]
    file.write_text(BAD + "\n")
    assert not live.refresh()
    assert [level for level, _ in said()] == ["WARNING"]
    assert not live.faults


@pytest.mark.parametrize("text", [LAST, SYSTEM], ids=["other", "as before"])
def test_a_recovery_is_said(file, live, said, text):
    file.write_text(BAD)
    live.refresh()
    said()
    file.write_text(text)
    assert live.refresh()
    assert live.error is None
    assert marks(live) == (AT_LAST if text is LAST else AT_SYSTEM)
    assert said() == [("INFO", f"{file} is in force, {live.policy.revision}")]
    assert live.policy.revision.startswith("sha256:")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "PC117"),
        (SYSTEM[:-10].encode(), "PC107"),
        (b"version: 1\nname: p\n", "PC121"),
        (b"name: \xc3", "PC104"),
        ("é".encode() * MAX_BYTES, "PC103"),
        (b"\x00" * 40, "PC105"),
    ],
    ids=["empty", "cut in a value", "cut between lines", "cut in a letter", "too large", "zeros"],
)
def test_a_partial_write_keeps_the_last_good(file, live, said, content, code):
    file.write_bytes(content)
    assert not live.refresh()
    assert marks(live) == AT_SYSTEM
    assert code in [diagnostic.code for diagnostic in live.error.diagnostics]
    assert [level for level, _ in said()] == ["WARNING"]
    file.write_text(LAST)
    assert live.refresh()
    assert marks(live) == AT_LAST


def test_the_diagnostics_are_those_of_an_engine(file, live):
    for content in (BAD.encode(), b"\xef\xbb\xbf" + BAD.encode(), b"a: \xff", b"\xff\xfea", b"- " * 300):
        file.write_bytes(content)
        live.refresh()
        with pytest.raises(PolicyError) as caught:
            Engine.from_file(file)
        assert live.error.diagnostics == caught.value.diagnostics


def test_a_byte_order_mark_counts_as_in_the_file(file, live):
    file.write_bytes(b"\xef\xbb\xbf" + SYSTEM.encode())
    assert live.refresh()
    assert live.policy.revision == Engine.from_file(file).policy.revision


def test_a_deleted_file_keeps_the_last_good_and_is_said_once(file, live, said):
    file.unlink()
    assert not live.refresh()
    assert not live.refresh()
    assert marks(live) == AT_SYSTEM
    assert live.error.unreadable
    ((level, message),) = said()
    assert level == "WARNING"
    assert "PC100" in message
    file.write_text(SYSTEM)
    assert live.refresh()
    assert live.error is None
    assert [level for level, _ in said()] == ["INFO"]


def test_a_folder_in_its_place_is_said_once(file, live, said):
    file.unlink()
    file.mkdir()
    assert not live.refresh()
    assert not live.refresh()
    assert len(said()) == 1
    assert "PC101" in str(live.error)


def test_an_atomic_replacement_is_taken(file, live):
    fresh = file.with_name("fresh")
    fresh.write_text(LAST)
    fresh.replace(file)
    assert live.refresh()
    assert marks(live) == AT_LAST


def test_a_config_map_is_taken_when_its_link_is_swapped(tmp_path):
    for name, text in (("..1", SYSTEM), ("..2", LAST)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "policy.yaml").write_text(text)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    live = LiveEngine(tmp_path / "policy.yaml")
    assert marks(live) == AT_SYSTEM
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert live.refresh()
    assert marks(live) == AT_LAST
    assert not live.refresh()


def test_a_catalog_is_watched_too(file, tmp_path, said):
    catalog = tmp_path / "catalog.yaml"
    catalog.write_text(CATALOG % "old")
    live = LiveEngine(file, catalog=catalog)
    request = {"model": "m", "messages": REQUEST["messages"], "api_base": "https://new.example/v1"}
    assert live.facts(request).route.provider != "acme"
    catalog.write_text(CATALOG % "new")
    assert live.refresh()
    assert live.facts(request).route.provider == "acme"
    assert said() == [("INFO", f"{file} with {catalog} is in force, {live.policy.revision}")]

    catalog.write_text("version: 1\nrotes: []\n")
    assert not live.refresh()
    assert not live.refresh()
    assert live.facts(request).route.provider == "acme"
    ((level, message),) = said()
    assert level == "WARNING"
    assert message.startswith(f"{catalog} is not used because of 1 error, ")
    with pytest.raises(PolicyError) as caught:
        Engine.from_file(file, catalog=catalog)
    assert live.error.diagnostics == caught.value.diagnostics


def test_the_first_load_raises_as_an_engine_does(tmp_path, file):
    with pytest.raises(PolicyError, match="PC100"):
        LiveEngine(tmp_path / "none.yaml")
    with pytest.raises(PolicyError, match="PC100"):
        LiveEngine(file, catalog=tmp_path / "none.yaml")
    file.write_text(BAD)
    with pytest.raises(PolicyError) as caught:
        Engine.watch(file)
    assert len(caught.value.diagnostics) == 2


def test_failures_are_counted_over_reloads(file, live, said):
    assert live.rewrite({}) == {}
    file.write_text(LAST)
    live.refresh()
    said()
    assert live.rewrite({}) == {}
    assert live.failures == {"RequestError": 2}
    assert live.failures is live.engine.failures
    assert said() == []


def test_a_refresh_never_raises(file, live, said, monkeypatch):
    def broken(*_):
        raise RecursionError(BIG)

    file.write_text(LAST)
    with monkeypatch.context() as patch:
        patch.setattr(module, "_load", broken)
        assert not live.refresh()
        assert not live.refresh()
    assert live.faults == {"RecursionError": 2}
    assert said() == [("WARNING", f"{file} was not looked at because of RecursionError (logged once)")]
    assert live.refresh()
    assert marks(live) == AT_LAST


def test_two_watchers_are_independent(file, live):
    other = LiveEngine(file)
    file.write_text(LAST)
    assert live.refresh()
    assert (marks(live), marks(other)) == (AT_LAST, AT_SYSTEM)
    live.rewrite({})
    assert not other.failures
    assert other.refresh()


@pytest.fixture
def memory():
    fsspec = pytest.importorskip("fsspec")
    system = fsspec.filesystem("memory")
    system.pipe_file("/watch/policy.yaml", SYSTEM.encode())
    yield system
    system.rm("/watch", recursive=True)


def test_a_url_is_watched(memory, said, monkeypatch):
    number = count()

    def refused(*_, **__):
        raise PermissionError(f"request {next(number)} to https://host/?sig=secret")

    url = "memory://watch/policy.yaml"
    live = LiveEngine(url)
    assert marks(live) == AT_SYSTEM
    assert live.policy.source.name == url
    assert not live.refresh()
    memory.pipe_file("/watch/policy.yaml", LAST.encode())
    assert live.refresh()
    assert marks(live) == AT_LAST
    assert said() == [("INFO", f"{url} is in force, {live.policy.revision}")]

    memory.rm_file("/watch/policy.yaml")
    assert not live.refresh()
    assert not live.refresh()
    assert marks(live) == AT_LAST
    ((level, message),) = said()
    assert level == "WARNING"
    assert f"{url}: error[PC102]: the file cannot be read: FileNotFoundError" in message
    with monkeypatch.context() as patch:
        patch.setattr(memory, "cat_file", refused)
        assert not live.refresh()
        assert not live.refresh()
    ((level, message),) = said()
    assert message.endswith("the file cannot be read: PermissionError")

    memory.pipe_file("/watch/policy.yaml", b"#" * (MAX_BYTES + 2))
    assert not live.refresh()
    assert "PC103" in str(live.error)


def test_a_url_may_be_a_catalog(file, memory):
    memory.pipe_file("/watch/catalog.yaml", (CATALOG % "old").encode())
    live = LiveEngine(file, catalog="memory://watch/catalog.yaml")
    memory.pipe_file("/watch/catalog.yaml", (CATALOG % "new").encode())
    assert live.refresh()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "nobody://user:secret@host/p.yaml?sig=secret",
            "fsspec cannot read this URL: Protocol not known: nobody",
        ),
        ("memory://user:secret@host/p.yaml?sig=secret", "the file cannot be read: FileNotFoundError"),
    ],
)
def test_a_url_keeps_its_secrets(url, message):
    pytest.importorskip("fsspec")
    with pytest.raises(PolicyError) as caught:
        LiveEngine(url)
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.unreadable
    assert caught.value.diagnostics[0].file == url.partition("?")[0].replace("user:secret@", "")


def test_a_url_without_fsspec_says_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(PolicyError) as caught:
        LiveEngine("s3://bucket/policy.yaml")
    (diagnostic,) = caught.value.diagnostics
    assert str(diagnostic) == (
        "s3://bucket/policy.yaml: error[PC102]: a URL is read by the package fsspec, which is not installed"
    )
    assert diagnostic.help == "pip install fsspec"
    assert not LiveEngine(file).refresh()


@pytest.fixture
def restless():
    """Threads take turns far more often than usual."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless")
def test_many_threads_rewrite_during_reloads(file, live):
    either = [Engine.from_text(text).rewrite(REQUEST) for text in (SYSTEM, LAST)]
    done = threading.Event()

    def work():
        seen = []
        while not done.is_set():
            sent = live.rewrite(REQUEST)
            assert sent in either
            seen.append(either.index(sent))
        return len(seen), set(seen)

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work) for _ in range(4)]
        try:
            for number in range(200):
                file.write_text((LAST, SYSTEM)[number % 2])
                assert live.refresh()
        finally:
            done.set()
        results = [worker.result(LONGEST) for worker in workers]
    assert all(rewritten for rewritten, _ in results)
    assert set.union(*(seen for _, seen in results)) == {0, 1}
    assert not live.failures
    assert not live.faults


class Heard(logging.Handler):
    """Sets an event when a reload is logged."""

    def __init__(self):
        super().__init__()
        self.event = threading.Event()

    def emit(self, record):
        if "is in force" in record.getMessage():
            self.event.set()


@pytest.fixture
def heard():
    log, handler = logging.getLogger("policy_cache"), Heard()
    level = log.level
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    yield handler.event
    log.removeHandler(handler)
    log.setLevel(level)


def test_the_thread_takes_an_edit_and_ends(file, heard):
    with Engine.watch(file, every=0) as live:
        thread = live._thread
        assert thread.daemon
        assert live._every == 0.1
        fresh = file.with_name("fresh")
        fresh.write_text(LAST)
        fresh.replace(file)
        assert heard.wait(LONGEST)
        assert marks(live) == AT_LAST
        live.start()
        assert live._thread is thread
    assert not thread.is_alive()
    live.close()
    assert marks(live) == AT_LAST


def test_it_can_be_started_again(file, heard):
    live = Engine.watch(file, every=0.1)
    live.close()
    file.write_text(LAST)
    live.start()
    assert heard.wait(LONGEST)
    live.close()
    assert not live._thread.is_alive()


def test_no_thread_unless_asked(file):
    before = threading.active_count()
    live = LiveEngine(file)
    assert threading.active_count() == before
    live.close()


@pytest.mark.parametrize("every", [float("nan"), float("inf"), -1, 1e30])
def test_any_interval_ends_at_once(file, every):
    with LiveEngine(file, every=every) as live:
        live.start()
    assert not live._thread.is_alive()


def test_importing_starts_no_thread_and_needs_no_fsspec():
    code = "import sys, threading, policy_cache.live.engine; "
    code += "sys.exit('fsspec' in sys.modules or threading.active_count() > 1)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=LONGEST).returncode == 0
