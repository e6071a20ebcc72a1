"""The options of a real litellm proxy, in its own settings."""

from __future__ import annotations

import json

from policy_cache.emulator import create_app, serve
from tests.proxy.running import DEADLINE, LONG, running, started

POLICY = """
version: 1
name: proxied
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
# The block comes after the callback, which litellm makes as soon as it reads its name.
CONFIG = """
model_list:
  - model_name: smart
    litellm_params:
      model: anthropic/claude-sonnet-4-5
      api_base: os.environ/ANTHROPIC_API_BASE
      api_key: any
litellm_settings:
  callbacks: policy_cache.integrations.litellm.proxy_handler
  policy_cache: %s
general_settings: {master_key: os.environ/LITELLM_MASTER_KEY}
"""
TALK = [{"role": "system", "content": LONG}, {"role": "user", "content": "q"}]


def config(folder, block):
    file = folder / "config.yaml"
    file.write_text(CONFIG % json.dumps(block))
    return file


def test_a_block_of_its_settings(tmp_path):
    block = {
        "policy": "policy.yaml",
        "record": {"path": "trace.jsonl", "text": "hashed"},
        "metrics": "opentelemetry",
        "alarm": True,
    }
    with (
        serve(create_app()) as provider,
        running(
            tmp_path, POLICY, provider, config=config(tmp_path, block), POLICY_CACHE_POLICY=None
        ) as proxy,
    ):
        usage = proxy.chat(TALK).usage
        assert usage.prompt_tokens_details.model_dump()["cache_creation_tokens"] > 0
        trace = tmp_path / "trace.jsonl"
        line = json.loads(proxy.until(lambda: trace.exists() and trace.read_text()).splitlines()[0])
    assert line["policy"]["rules"] == ["prefix"]
    assert "word word" not in json.dumps(line)


def test_a_wrong_option_keeps_the_proxy_from_starting(tmp_path):
    file = config(tmp_path, {"polcy": "policy.yaml"})
    with started(tmp_path, POLICY, "http://127.0.0.1:9", config=file) as proxy:
        code = proxy.process.wait(DEADLINE)
        said = proxy.log.read_text()
    assert code != 0
    assert "unknown field `polcy` in `litellm_settings.policy_cache`" in said
    assert "help: did you mean `policy`?" in said
