"""`python -m tests.policy.known_models`: the models that litellm knows, as `models.txt` lists them."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

# litellm's names for providers, and ours.
PROVIDERS = {
    "anthropic": "anthropic",
    "azure_ai": "azure_ai",
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "dashscope": "dashscope",
    "databricks": "databricks",
    "gemini": "gemini",
    "minimax": "minimax",
    "openai": "openai",
    "snowflake": "snowflake",
    "vertex_ai-anthropic_models": "vertex_ai",
    "vertex_ai-language-models": "vertex_ai",
}
# What a request names besides: commitments, regions, and profiles of other regions than this one.
LEFT_OUT = re.compile(
    r"bedrock/.*/|bedrock/(?!us\.)[a-z-]+\.(?:amazon|anthropic|deepseek|meta|mistral|twelvelabs)\b"
)


def page() -> str:
    folder = Path(find_spec("litellm").submodule_search_locations[0])
    prices = json.loads((folder / "model_prices_and_context_window_backup.json").read_text(encoding="utf-8"))
    names = set()
    for name, entry in prices.items():
        provider = PROVIDERS.get(entry.get("litellm_provider"))
        if provider and entry.get("mode") in {"chat", "responses"}:
            names.add(f"{provider}/{name.removeprefix(provider + '/')}")
    kept = sorted(name for name in names if not LEFT_OUT.match(name))
    head = (
        f"# The chat models that litellm {version('litellm')} knows, where a provider's names are not free.\n"
    )
    return head + "".join(f"{name}\n" for name in kept)


if __name__ == "__main__":
    print(page(), end="")
