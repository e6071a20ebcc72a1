"""Hashed requests: no word of them stays, and their structure does."""

from __future__ import annotations

import json
import stat
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from benchmarks.request import agent_request
from policy_cache import Engine
from policy_cache.cache.reading import read
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve
from policy_cache.request.tokens import chars
from policy_cache.trace.hashed import Hasher, kept_key
from policy_cache.trace.lines import lines_of
from policy_cache.trace.reader import Trace
from policy_cache.trace.recorder import TraceRecorder
from tests.prompts import broken_requests, requests
from tests.request.test_media import document, encoded, film, mpeg4, sound, wav
from tests.request.test_media import plain as plain_pdf

from .test_recorder import REQUEST, plain, records

KEY = bytes(range(32))
WHOLE = {"arguments", "input", "input_schema", "parameters"}
KEPT = {"media_type", "model", "name", "role", "ttl", "type"}


GIF = encoded(b"GIF89a" + struct.pack("<HH", 1_500, 900) + b"secret" * 9_000)
OTHER_GIF = encoded(b"GIF89a" + struct.pack("<HH", 1_500, 900) + b"other!" * 9_000)


def hashed(request):
    return Hasher(KEY).request(request)


def leaf(text, **more):
    return {"chars": chars(text), "hash": Hasher(KEY).id(text), **more}


def line(folder, request, **options):
    path = folder / "trace.jsonl"
    path.unlink(missing_ok=True)
    with TraceRecorder(path, text="hashed", **options) as recorder:
        recorder.record(request, ts=1.0)
    return path.read_text(encoding="utf-8")


def texts(value, name=""):
    """Every text of a request, the names within schemas and arguments too."""
    if isinstance(value, dict):
        for key, item in value.items():
            if name in WHOLE | {"properties"}:
                yield key
            yield from texts(item, key)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item, name)
    elif isinstance(value, str) and name not in KEPT:
        yield value


def same_structure(before, after, name=""):
    if isinstance(after, dict) and {"chars", "hash"} <= set(after):
        return isinstance(before, str) or name in WHOLE
    if isinstance(before, dict):
        return list(before) == list(after) and all(
            same_structure(before[key], after[key], key) for key in before
        )
    if isinstance(before, list):
        return len(before) == len(after) and all(
            same_structure(one, other, name) for one, other in zip(before, after, strict=True)
        )
    return before == after or (
        isinstance(after, str) and name in {"call_id", "id", "tool_call_id", "tool_use_id"}
    )


@pytest.mark.property
@example(agent_request())
@given(requests(2))
def test_no_text_stays_and_the_structure_does(tmp_path_factory, request_):
    folder = tmp_path_factory.mktemp("hashed")
    written = line(folder, request_, key=KEY)
    request = plain(request_)
    names = {"cache_control", "type"}  # properties of the schemas that are members too
    # At the top, `input` is the conversation; anywhere else it is an argument.
    opened = {"messages" if name == "input" else name: value for name, value in request.items()}
    for text in set(texts(opened)) - names:
        assert len(text) <= 3 or text.isspace() or text not in written
    assert line(folder, request_, key=KEY) == written
    found = json.loads(written)["request"]
    assert same_structure({name: request[name] for name in found}, found)


@pytest.mark.property
@given(requests(), st.binary(min_size=16, max_size=64))
def test_another_key_has_other_hashes(request, key):
    def hashes(value):
        if isinstance(value, dict):
            return {value["hash"]} if "hash" in value else set().union(*map(hashes, value.values()))
        return set().union(*map(hashes, value)) if isinstance(value, list) else set()

    ours, theirs = hashes(hashed(plain(request))), hashes(Hasher(key).request(plain(request)))
    assert key == KEY or ours.isdisjoint(theirs)
    assert len(ours) == len(theirs)


SECRET = st.text(alphabet="ghijklmnop", min_size=30, max_size=30)


@pytest.mark.property
@given(broken_requests(), SECRET, SECRET)
def test_unknown_names_are_hashed(request, name, text):
    request = {
        **plain(request),
        "system": [{"type": "text", "text": "x", name: {"type": text, text: [text]}}],
    }
    written = json.dumps(hashed(request))
    assert name not in written
    assert text not in written


def test_a_chat_request():
    request = {
        "model": "anthropic/claude-sonnet-4-5",
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be kind.", "cache_control": MARKER}]},
            {"role": "user", "name": "Ada", "content": "Hëllo"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "name": "look_up", "content": " "},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "look_up"}},
        "prompt_cache_key": "tenant-7",
        "temperature": 0.5,
        "stream": True,
    }
    identity = Hasher(KEY).id("call_1")
    schema = TOOL["function"]["parameters"]
    whole = hashed(request)
    digest = whole["tools"][0]["function"]["parameters"]["hash"]
    assert whole == {
        **request,
        "messages": [
            {
                "role": "system",
                "content": [{"type": "text", "text": leaf("Be kind."), "cache_control": MARKER}],
            },
            {"role": "user", "name": leaf("Ada"), "content": {**leaf("Hëllo"), "chars": 10}},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": identity,
                        "type": "function",
                        "function": {"name": "look_up", "arguments": leaf('{"q": "secret"}')},
                    }
                ],
            },
            {
                "role": "tool",
                "tool_call_id": identity,
                "name": "look_up",
                "content": leaf(" ", blank=True),
            },
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "look_up",
                    "description": leaf("Looks things up."),
                    "parameters": {"chars": chars(schema), "hash": digest},
                },
                "prompt_cache_breakpoint": {"mode": "explicit"},
            }
        ],
        "prompt_cache_key": Hasher(KEY).id("tenant-7"),
    }


MARKER = {"type": "ephemeral", "ttl": "1h"}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look_up", "arguments": '{"q": "secret"}'},
}
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Looks things up.",
        "parameters": {"type": "object", "properties": {"secret": {"type": "string"}}},
    },
    "prompt_cache_breakpoint": {"mode": "explicit"},
}


def test_blocks_of_the_messages_shape():
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
    result = {"type": "tool_result", "tool_use_id": "srvtoolu_1", "content": [image], "is_error": False}
    use = {"type": "tool_use", "id": "srvtoolu_1", "name": "look_up", "input": {"q": "secret"}}
    content = [
        {"type": "thinking", "thinking": "Hmm.", "signature": "c2ln"},
        use,
        result,
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=1"},
    ]
    (message,) = hashed({"messages": [{"role": "user", "content": content}]})["messages"]
    thinking, hashed_use, hashed_result, billing = message["content"]
    assert thinking == {"type": "thinking", "thinking": leaf("Hmm."), "signature": leaf("c2ln")}
    server = f"srvtoolu_{Hasher(KEY).id('srvtoolu_1')}"
    assert hashed_use | {"input": None} == use | {"id": server, "input": None}
    assert set(hashed_use["input"]) == {"chars", "hash"}
    source = {"type": "base64", "media_type": "image/png", "data": leaf("iVBORw0KGgo=")}
    assert hashed_result == {
        **result,
        "tool_use_id": server,
        "content": [{"type": "image", "source": source}],
    }
    assert billing["text"]["billing"] is True


MEDIA = [
    ("messages", {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": GIF}}),
    (
        "messages",
        {"type": "image_url", "image_url": {"url": f"data:image/gif;base64,{GIF}", "detail": "low"}},
    ),
    ("messages", {"type": "file", "file": {"file_data": f"data:a/b;base64,{encoded(plain_pdf(300))}"}}),
    ("messages", document(type="base64", media_type="application/pdf", data=encoded(plain_pdf(300)))),
    ("messages", {"type": "tool_result", "tool_use_id": "a", "content": [document(type="base64", data=GIF)]}),
    ("messages", sound(wav(60))),
    ("messages", film("video_url", mpeg4(60))),
    ("input", {"type": "input_file", "file_data": f"data:a/b;base64,{encoded(plain_pdf(300))}"}),
    ("input", {"type": "input_image", "image_url": f"data:image/gif;base64,{GIF}"}),
]


@pytest.mark.parametrize(("area", "part"), MEDIA)
@pytest.mark.parametrize("model", ["anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro", "gpt-5.6"])
def test_media_keep_their_sizes(tmp_path, model, area, part):
    """What they are is gone, and what they count as stays."""
    other = json.loads(json.dumps(part).replace(GIF, OTHER_GIF).replace("c2VjcmV0", "b3RoZXIh"))
    sizes, contents = [], []
    for text in ("plain", "hashed"):
        path = tmp_path / text
        with TraceRecorder(path, text=text) as recorder:
            for number, one in enumerate((part, part, other)):
                recorder.record({"model": model, area: [{"role": "user", "content": [one]}]}, ts=number)
        found = list(Trace(lines_of([path])))
        routes = [Engine.passing().facts(record.request).route for record in found]
        blocks = [read(record.request, route).blocks for record, route in zip(found, routes, strict=True)]
        sizes.append([sum(block.tokens for block in prompt) for prompt in blocks])
        contents.append([[block.content for block in prompt] for prompt in blocks])
    assert sizes[1] == pytest.approx(sizes[0], rel=0.01, abs=8)
    assert contents[1][0] == contents[1][1]
    assert (contents[1][0] == contents[1][2]) == (part == other)
    assert "c2VjcmV0" not in (tmp_path / "hashed").read_text()


def test_equal_prefixes_stay_equal_and_others_differ():
    def messages(*words):
        return hashed({"messages": [{"role": "user", "content": word} for word in words]})["messages"]

    one, two = messages("a", "b", "a"), messages("a", "c")
    assert one[0] == one[2] == two[0]
    assert one[1] != two[1]


def test_a_word_that_is_none_is_hashed():
    assert hashed({"model": "no model's name"}) == {"model": leaf("no model's name")}


@pytest.mark.parametrize(
    ("base", "kept"),
    [
        ("https://api.anthropic.com", "https://api.anthropic.com"),
        ("https://acme.openai.azure.com", "https://{}.openai.azure.com"),
        ("https://proxy.acme.example", "https://{}.invalid"),
    ],
)
def test_a_host_leads_to_the_same_provider(base, kept):
    found = hashed({"api_base": base})["api_base"]
    assert found == kept.format(Hasher(KEY).id(base.removeprefix("https://")))

    def route(api_base):
        return resolve(packaged_catalog(), model="claude-x", provider=None, api_base=api_base, shape="chat")

    assert route(found).name == route(base).name


def test_scope_session_and_metadata(tmp_path):
    path = tmp_path / "trace.jsonl"
    request = {**REQUEST, "metadata": {"user": "ada", "n": 3}}
    with TraceRecorder(path, text="hashed", key=KEY, metadata=("user", "n")) as recorder:
        recorder.record(request, scope="acme", session="ada", usage={"input_tokens": 3})
    (record,) = records(path)
    ada = Hasher(KEY).id("ada")
    assert (record["scope"], record["session"]) == (Hasher(KEY).id("acme"), ada)
    assert record["request"]["metadata"] == {"user": ada, "n": 3}
    assert record["usage"] == {"input_tokens": 3}
    assert not path.with_name("trace.jsonl.key").exists()


def test_a_key_is_made_once_and_kept(tmp_path):
    lines = {line(tmp_path, REQUEST) for _ in range(2)}
    assert len(lines) == 1
    key = tmp_path / "trace.jsonl.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert json.loads(lines.pop())["request"] == Hasher(key.read_bytes()).request(REQUEST)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["trace.jsonl", "trace.jsonl.key"]


def test_of_two_keys_made_at_once_the_first_stays(tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_bytes(KEY)
    monkeypatch.setattr(type(path), "exists", lambda _: False)
    assert kept_key(path) == KEY
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_without_a_key(tmp_path):
    (tmp_path / "trace.jsonl.key").write_bytes(b"")
    with TraceRecorder(tmp_path / "trace.jsonl", text="hashed") as recorder:
        recorder.record(REQUEST)
    assert recorder.faults == {"EINVAL": 1}
    assert not (tmp_path / "trace.jsonl").exists()
