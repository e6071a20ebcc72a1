"""What the documents show is what the code does."""

from __future__ import annotations

import ast
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from policy_cache.engine.reasons import REASONS
from policy_cache.policy.language.model import Match
from policy_cache.policy.language.words import NAMED_TARGETS
from policy_cache.policy.load import loads
from policy_cache.providers.file import load_catalog
from policy_cache.request.targets import NAMED
from tests.documents import DOCUMENTS, ROOT, blocks, fits, shown
from tests.policy.language_page import page

# Documents whose commands are not run here, and why.
NOT_RUN = {"docs/diagnostics.md": "tests/policy/test_explanation.py checks what it shows, piece by piece"}
SERVING = ("policy-cache studio ", "policy-cache emulate ")
"""Commands that serve until they are stopped: they are started, looked at and stopped."""


def name(file):
    return file.relative_to(ROOT).as_posix()


PROSE = [file for file in DOCUMENTS if name(file) not in NOT_RUN]
COMMANDS = [file for file in PROSE if any(block.commands for block in blocks(file.read_text()))]


def policies():
    """Every policy shown; of a file that a document writes more than once, the last."""
    found = {}
    for file in PROSE:
        for number, block in enumerate(blocks(file.read_text())):
            if block.language == "yaml" and "version: 1" in block.text and "\nrules:" in block.text:
                found[f"{name(file)}-{block.title or number}"] = block.text
    return [pytest.param(text, id=key) for key, text in found.items()]


@pytest.mark.parametrize("text", policies())
def test_every_policy_shown_is_valid(text):
    assert loads(text).warnings == ()


def catalogs():
    shown = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "providers.md").read_text(), re.DOTALL)
    assert shown
    return shown


@pytest.mark.parametrize("text", catalogs())
def test_every_catalog_shown_is_valid(tmp_path, text):
    file = tmp_path / "catalog.yaml"
    file.write_text(text)
    assert "acme" in {route.name for route in load_catalog(file).routes}


def test_every_condition_target_and_reason_is_documented():
    text = (ROOT / "docs" / "policies.md").read_text()
    names = [*Match.model_fields, *NAMED_TARGETS, *REASONS]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_the_language_and_the_engine_know_the_same_targets():
    assert set(NAMED) == set(NAMED_TARGETS)


def test_every_file_that_a_document_links_to_exists():
    for file in DOCUMENTS:
        links = re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", file.read_text())
        assert [link for link in links if not (file.parent / link).exists()] == []


@pytest.fixture
def folder(tmp_path):
    """A folder with what a clone has."""
    for path in ("docs", "examples", "policies", "schema"):
        (tmp_path / path).symlink_to(ROOT / path)
    return tmp_path


def begin(command, folder):
    here = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    here |= {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BROWSER": "true",  # what serves a page opens it with this
    }
    merged = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(["bash", "-c", command], cwd=folder, env=here, text=True, **merged)


def run(command, folder):
    with begin(command, folder) as started:
        printed, _ = started.communicate(timeout=120)
    return started.returncode, printed


def serve(command, folder):
    """What is printed by a command that serves until it is stopped, and its exit code then."""
    # As it is written, but for the port, which may be taken.
    with begin(f"exec {command} --port 0", folder) as started:
        printed = ""
        while not (url := re.search(r"http://127\.0\.0\.1:\d+\S*", printed)):
            line = started.stdout.readline()
            assert line, printed
            printed += line
        with urlopen(url[0], timeout=60) as answer:
            assert answer.status == 200
        started.send_signal(signal.SIGINT)
        rest, _ = started.communicate(timeout=60)
    return started.returncode, printed + rest


@pytest.mark.parametrize("file", COMMANDS, ids=name)
def test_every_command_prints_what_is_shown(file, folder):
    for title, command, text in shown(blocks(file.read_text())):
        if title:
            (folder / title).write_text(text)
            continue
        code, printed = (serve if command.startswith(SERVING) else run)(command, folder)
        assert code in {0, 1}, (command, printed)
        assert "Traceback" not in printed
        # A command alone says how it is called, not what it prints.
        if text.strip():
            assert fits(text, printed), f"$ {command}\n{printed}"


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_no_command_of_ours_is_left_out(file):
    text = file.read_text()
    written = re.findall(r"^\s*\$ (.*\bpolicy-cache .*)$", text, re.MULTILINE)
    taken = [command for title, command, _ in shown(blocks(text)) if not title]
    if name(file) not in NOT_RUN:
        assert [command for command in written if command.strip() not in "\n".join(taken)] == []
        assert [one.text for one in blocks(text) if re.match(r"policy-cache ", one.text)] == []


def test_the_example_trace_is_what_its_program_writes(tmp_path):
    code, printed = run(f"python {ROOT}/examples/trace.py {tmp_path}/trace.jsonl", tmp_path)
    assert (code, printed) == (0, "")
    shipped = (ROOT / "examples" / "trace.jsonl").read_bytes()
    assert (tmp_path / "trace.jsonl").read_bytes() == shipped, "run `python examples/trace.py`"


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_every_name_that_is_imported_exists(file):
    for block in blocks(file.read_text()):
        if block.language == "python":
            tree = compile(block.text, name(file), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            imports = [part for part in tree.body if isinstance(part, ast.Import | ast.ImportFrom)]
            exec(compile(ast.Module(imports, []), name(file), "exec"), {})


def test_the_language_page_is_current():
    assert (ROOT / "docs" / "language.md").read_text() == page(), "run `make docs`"


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="MkDocs is in the dependency group `docs`")
    folder = tmp_path_factory.mktemp("site")
    mkdocs = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", folder]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(mkdocs, cwd=ROOT, env=quiet, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


def test_the_site_has_every_page_and_what_they_link_to(site):
    pages = {file.relative_to(ROOT / "docs").with_suffix(".html") for file in (ROOT / "docs").rglob("*.md")}
    assert [page for page in pages if not (site / page).exists()] == []
    assert (site / "files" / "examples" / "router.py.txt").read_text() == (
        ROOT / "examples/router.py"
    ).read_text()


def test_the_site_loads_nothing_from_elsewhere(site):
    loads = re.compile(
        r"<(?:script|img|iframe|source)[^>]*src=[\"']?(?:https?:)?//|<link[^>]*href=[\"']?https?://"
    )
    styles = re.compile(r"(?:@import|url\()\s*[\"']?(?:https?:)?//")
    wrong = []
    for file in site.rglob("*"):
        if file.suffix == ".html" and (found := loads.search(file.read_text())):
            wrong.append((file.name, found[0]))
        if file.suffix == ".css" and (found := styles.search(file.read_text())):
            wrong.append((file.name, found[0]))
    assert wrong == []


TOOLS = [
    {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
]
TURNS = [{"role": ("user", "assistant")[turn % 2], "content": f"turn {turn}"} for turn in range(11)]
RESULT = [
    {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "seen"}]},
]
CLAUDE = "anthropic/claude-sonnet-4-5"


def marked(part, path="$"):
    """Where a body has markers, and with which lifetime."""
    if isinstance(part, dict):
        if marker := part.get("cache_control"):
            yield path, marker.get("ttl", "5m")
        for key, value in part.items():
            yield from marked(value, f"{path}.{key}")
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from marked(value, f"{path}[{index}]")


def injected(points, *, model=CLAUDE, messages=TURNS, **more):
    from policy_cache.integrations.litellm import wire

    system = [{"role": "system", "content": "short"}]
    points = {"cache_control_injection_points": points}
    sent = wire({"model": model, "messages": system + messages, "tools": TOOLS, **points, **more}).sent[-1]
    return sent.body


def test_what_the_docs_say_of_litellms_own_injection():
    """`docs/litellm.md`, row by row, on the wire of the litellm that is installed."""
    oldest = injected([{"location": "message", "role": "user"}])
    assert [path for path, _ in marked(oldest)] == [f"$.messages[{n}].content[0]" for n in (0, 2, 4, 6)]

    hour = {"type": "ephemeral", "ttl": "7h"}
    typos = [
        {"location": "message", "rol": "system"},
        {"locaton": "message", "role": "user"},
        {"location": "tools"},
    ]
    system = {"location": "message", "role": "system"}
    assert list(marked(injected([*typos, system | {"control": hour}]))) == [("$.system[0]", "7h")]

    late = {"location": "message", "index": -1, "control": hour | {"ttl": "1h"}}
    assert dict(marked(injected([system, late]))) == {"$.system[0]": "5m", "$.messages[10].content[0]": "1h"}

    last = {"location": "message", "index": -1}
    [(path, _)] = marked(injected([last], messages=TURNS + RESULT))
    assert path.endswith("].content[0].content[0]")

    tools = [{"location": "tool_config"}]
    azure = {
        "model": "azure_ai/claude-sonnet-4-5",
        "api_base": "https://x.services.ai.azure.com",
        "api_key": "any",
    }
    assert list(marked(injected(tools, **azure))) == []
    router = injected(tools, model="openrouter/anthropic/claude-sonnet-4.5")
    assert (list(marked(router)), router["cache_control_injection_points"]) == ([], tools)

    mark = {"type": "text", "text": "seen", "cache_control": {"type": "ephemeral"}}
    five = [turn | {"content": [mark]} for turn in TURNS[:5]]
    assert len(list(marked(injected([system], messages=five)))) == 5
