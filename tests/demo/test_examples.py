"""The examples: they run, and they show what they are there to show."""

import asyncio
import json
import os
import re
import runpy
import subprocess
import sys

import pytest

from policy_cache import Engine
from tests.conftest import REPOSITORY
from tests.doubles import close_clients

pytestmark = pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class:UserWarning")

EXAMPLES = REPOSITORY / "examples"
REQUESTS = sorted((EXAMPLES / "requests").glob("*.json"))


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_the_default_policy_marks_each_request(path):
    plan = Engine.default().plan(json.loads(path.read_text("utf-8")))
    assert plan.changed
    assert {edit.source.rule for edit in plan.edits} == {"agent-prefix", "conversation"}


def test_both_shapes_have_an_example():
    shapes = {path.stem: Engine.default().plan(json.loads(path.read_text())).route.shape for path in REQUESTS}
    assert shapes == {"agent": "chat", "messages": "messages"}


def test_the_router_reads_more_from_the_cache_with_each_turn():
    offline = {key: value for key, value in os.environ.items() if not key.endswith("_API_KEY")}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "router.py"], env=offline, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    reads = [int(read.replace(",", "")) for read in re.findall(r"([\d,]+) read from the cache", done.stdout)]
    assert len(reads) == 3
    assert reads[0] == 0 < reads[1] < reads[2]


def test_the_router_falls_back():
    router = runpy.run_path(str(EXAMPLES / "router.py"))
    router["DEPLOYMENTS"]["sonnet"]["api_base"] = "http://127.0.0.1:1"
    request = {"messages": [{"role": "user", "content": "Hello?"}], "num_retries": 0}
    name, response = asyncio.run(ask(router["complete"], request))
    assert name == "cheap"
    assert response.choices[0].message.content == "The cheap model takes over."


async def ask(complete, request):

    try:
        return await complete("smart", request)
    finally:
        await close_clients()


def test_the_savings_are_what_is_published_and_both_ways_agree():
    done = subprocess.run(
        [sys.executable, EXAMPLES / "savings" / "savings.py"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n\n")[1] == (
        "without caching   $1.34\n"
        "with the policy   $0.46\n"
        "saved             66%; in payload, a read being a tenth of a token: 79%\n"
        "the simulator, and litellm against the emulator, agree to the token\n"
    )
