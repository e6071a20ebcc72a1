"""A real litellm proxy in front of a provider that refuses every marker, and answers the rest."""

from __future__ import annotations

import pytest

from policy_cache.emulator import serve
from tests.doubles import REFUSALS, Provider
from tests.proxy.running import LONG, openai, running

POLICY = """
version: 1
name: refused
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
TALK = [{"role": "system", "content": LONG}, {"role": "user", "content": "q"}]
# A route that was refused stays unmarked: each case has a model of its own.
CASES = [
    ("chat", False, "claude-sonnet-4-5", REFUSALS[0]),
    ("chat", True, "claude-opus-4-5", REFUSALS[3]),
    ("messages", False, "claude-haiku-4-5", REFUSALS[11]),
    ("messages", True, "claude-opus-4-1", REFUSALS[4]),
    ("responses", False, "claude-sonnet-4-5-20250929", REFUSALS[9]),
    ("responses", True, "claude-haiku-4-5-20251001", REFUSALS[1]),
]
CONFIG = """
model_list:
  - model_name: "claude*"
    litellm_params:
      model: "anthropic/claude*"
      api_base: os.environ/ANTHROPIC_API_BASE
      api_key: any
litellm_settings:
  callbacks: policy_cache.integrations.litellm.proxy_handler
general_settings:
  master_key: os.environ/LITELLM_MASTER_KEY
"""


@pytest.fixture(scope="module")
def provider():
    one = Provider()
    with serve(one) as address:
        one.address = address
        yield one


@pytest.fixture(scope="module")
def proxy(provider, tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "config.yaml").write_text(CONFIG)
    with running(folder, POLICY, provider.address, config=folder / "config.yaml") as one:
        yield one


@pytest.mark.parametrize(("path", "stream", "model", "refusal"), CASES)
def test_a_refused_marker_is_left_out_and_the_client_sees_nothing_of_it(
    proxy, provider, path, stream, model, refusal
):
    provider.bodies.clear()
    provider.refusal = refusal
    for _ in range(2):
        answer = getattr(proxy, path)(TALK, model=model, **({"stream": True} if stream else {}))
        text = "".join(map(str, answer)) if stream else str(answer)
        assert "output_tokens" in text or "finish_reason" in text
    assert provider.marked == [True, False, False]
    assert {body["model"] for body in provider.requests} == {model}
    assert f"{model} refused a cache marker, and gets none of " in proxy.log.read_text()


def test_another_400_is_the_clients(proxy, provider):
    provider.bodies.clear()
    provider.refusal, provider.about = "max_tokens: Field required", ""
    with pytest.raises(openai.BadRequestError, match="max_tokens"):
        proxy.chat(TALK, model="claude-opus-4-20250514")
    assert provider.marked == [True]
