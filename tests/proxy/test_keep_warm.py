"""A real litellm proxy keeps prefixes warm, by configuration alone."""

from __future__ import annotations

import json

from policy_cache.emulator import serve
from tests.doubles import Provider
from tests.proxy.running import LONG, metrics, running

POLICY = """
version: 1
name: proxied
rules:
  - {name: prefix, targets: [tools, system, messages.last], action: {add_cache_control: {}}}
"""
# To the proxy, five minutes are 40 seconds; the provider forgets nothing meanwhile.
CATALOG = """
version: 1
caches:
  claude: {kind: explicit, lookback: 20, lifetimes: {5m: {seconds: 40}, 1h: {seconds: 3600}}}
"""
CONFIG = {
    "model_list": [
        {
            "model_name": "smart",
            "litellm_params": {
                "model": "anthropic/claude-sonnet-4-5",
                "api_base": "os.environ/ANTHROPIC_API_BASE",
                "api_key": "any",
            },
        }
    ],
    "litellm_settings": {
        "callbacks": ["policy_cache.integrations.litellm.proxy_handler", "prometheus"],
        "policy_cache": {
            "catalog": "catalog.yaml",
            "metrics": "prometheus",
            "keep_warm": {"budget": 0.5, "floor": 0},
        },
    },
    "general_settings": {"master_key": "os.environ/LITELLM_MASTER_KEY"},
}


def said(body):
    """What a body says, without how it is to be answered."""
    return {name: value for name, value in body.items() if name not in ("max_tokens", "stream", "metadata")}


def test_each_shape_is_pinged_as_it_was_sent(tmp_path):
    (tmp_path / "catalog.yaml").write_text(CATALOG)
    (tmp_path / "config.yaml").write_text(json.dumps(CONFIG))
    provider = Provider()
    with (
        serve(provider) as address,
        running(tmp_path, POLICY, address, config=tmp_path / "config.yaml") as proxy,
    ):
        for path in ("chat", "messages", "responses"):
            talk = [{"role": "system", "content": f"{path} {LONG}"}, {"role": "user", "content": "q"}]
            for _ in getattr(proxy, path)(talk, stream=True):
                pass
        counted = 'policy_cache_pings_total{read="true",route="anthropic"} 3.0'
        proxy.until(lambda: counted in metrics(proxy))
    asked = [said(body) for body in provider.requests if body["max_tokens"]]
    pinged = [said(body) for body in provider.requests if not body["max_tokens"]]
    assert len(asked) == len(pinged) == 3
    assert all(body in pinged for body in asked)
