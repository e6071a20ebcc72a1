"""What somebody who begins a policy says of their traffic, and the providers that it may go to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["agent", "chat", "one-shot"]
Pauses: TypeAlias = Literal["short", "long"]
Router: TypeAlias = Literal["library", "callback", "proxy"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PAUSES: tuple[Pauses, ...] = get_args(Pauses)
ROUTERS: tuple[Router, ...] = get_args(Router)

DEFAULT_PROVIDERS = ("anthropic", "azure_ai", "bedrock", "vertex_ai")


@dataclass(frozen=True, slots=True)
class Provider:
    """What a first policy has to know of a provider.

    Attributes:
        family: Whose rules it shares: `claude`, `qwen`, `minimax`, `openai`, or `other` for one that has
            no use for markers.
        model: A model there, as litellm names it.
        tools: Whether a marker on a tool reaches it.
        hour: Whether it takes a lifetime of an hour.
    """

    family: Literal["claude", "qwen", "minimax", "openai", "other"]
    model: str
    tools: bool = False
    hour: bool = False


PROVIDERS: dict[str, Provider] = {
    "anthropic": Provider("claude", "anthropic/claude-sonnet-4-5", tools=True, hour=True),
    "azure": Provider("openai", "azure/gpt-5.6"),
    "azure_ai": Provider("claude", "azure_ai/claude-sonnet-4-5", tools=True, hour=True),
    "bedrock": Provider(
        "claude", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", tools=True, hour=True
    ),
    "cohere": Provider("other", "cohere/command-a-03-2025"),
    "dashscope": Provider("qwen", "dashscope/qwen3-max"),
    "databricks": Provider("claude", "databricks/databricks-claude-sonnet-4-5"),
    "deepseek": Provider("other", "deepseek/deepseek-chat"),
    "fireworks_ai": Provider("other", "fireworks_ai/accounts/fireworks/models/kimi-k2-instruct"),
    "gemini": Provider("other", "gemini/gemini-2.5-pro"),
    "groq": Provider("other", "groq/llama-3.3-70b-versatile"),
    "hosted_vllm": Provider("other", "hosted_vllm/qwen3-32b"),
    "litellm_proxy": Provider("claude", "litellm_proxy/claude-sonnet-4-5", tools=True, hour=True),
    "minimax": Provider("minimax", "minimax/MiniMax-M2.5", tools=True),
    "mistral": Provider("other", "mistral/mistral-large-latest"),
    "moonshot": Provider("other", "moonshot/kimi-k2-0905-preview"),
    "ollama": Provider("other", "ollama/llama3.3"),
    "openai": Provider("openai", "openai/gpt-5.6"),
    "openrouter": Provider("claude", "openrouter/anthropic/claude-sonnet-4.5", tools=True, hour=True),
    "snowflake": Provider("claude", "snowflake/claude-sonnet-4-5"),
    "together_ai": Provider("other", "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo"),
    "vertex_ai": Provider("claude", "vertex_ai/claude-sonnet-4-5@20250929", tools=True, hour=True),
    "xai": Provider("other", "xai/grok-4"),
    "zai": Provider("other", "zai/glm-4.6"),
}
"""Every provider that a first policy can be for, by litellm's name."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What somebody says of their traffic.

    Attributes:
        providers: Where requests go: names of `PROVIDERS`, at least one.
        kind: What requests are: an agent's, with tools; a chat's; or questions that nothing follows.
        pauses: Whether people pause for more than five minutes between requests.
        router: How requests reach litellm.
    """

    providers: tuple[str, ...] = DEFAULT_PROVIDERS
    kind: Kind = "agent"
    pauses: Pauses = "short"
    router: Router = "library"

    def of(self, family: str) -> tuple[str, ...]:
        """The providers of a family, by name."""
        return tuple(sorted({name for name in self.providers if PROVIDERS[name].family == family}))

    def hour(self, family: str) -> bool:
        """Whether markers of a family are for an hour."""
        return self.pauses == "long" and any(PROVIDERS[name].hour for name in self.of(family))

    def tools(self, family: str) -> bool:
        """Whether a marker on the last tool is asked for."""
        return self.kind != "chat" and any(PROVIDERS[name].tools for name in self.of(family))
