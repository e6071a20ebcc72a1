"""Every route that the wire is checked on: what litellm is called with, and the catalog's name for it."""

from __future__ import annotations

from typing import NamedTuple

ARN = "arn:aws:bedrock:us-east-1:123456789012:inference-profile"


class Case(NamedTuple):
    """One route: its label, the catalog's name, and what the request says."""

    label: str
    route: str | None
    request: dict
    shape: str = "chat"


def _chat(label, route, model, **more):
    return Case(label, route, {"model": model, **more})


def _native(label, route, model):
    return Case(label, route, {"model": model}, "messages")


def _both(label, route, model):
    return _chat(label, route, model), _native(f"{label}, messages", route, model)


def _responses(label, route, model):
    return Case(f"{label}, responses", route, {"model": model}, "responses")


def _every(label, route, model):
    return *_both(label, route, model), _responses(label, route, model)


ROUTES = [
    *_every("Anthropic", "anthropic", "anthropic/claude-sonnet-4-5"),
    _chat(
        "Bedrock Claude, Converse", "bedrock-claude", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    ),
    _chat(
        "Bedrock Claude before 4.5, Converse",
        "bedrock-claude-converse",
        "bedrock/converse/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
    ),
    _chat(
        "Bedrock Claude, InvokeModel",
        "bedrock-claude-invoke",
        "bedrock/invoke/anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    _native(
        "Bedrock Claude, messages", "bedrock-claude", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    ),
    _chat(
        "Bedrock Claude, inference profile",
        "bedrock-claude-converse",
        f"bedrock/converse/{ARN}/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    _responses("Bedrock Claude", "bedrock-claude", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    _chat(
        "Bedrock Claude, application inference profile",
        "bedrock-claude-converse",
        f"bedrock/{ARN.replace('inference', 'application-inference')}/xyz",
        base_model="bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ),
    _responses("Bedrock OpenAI", "bedrock-breakpoints", "bedrock/us.openai.gpt-6-sol"),
    _chat("Bedrock Nova", "bedrock-nova", "bedrock/us.amazon.nova-pro-v1:0"),
    _responses("Bedrock Nova", "bedrock-nova", "bedrock/us.amazon.nova-pro-v1:0"),
    _chat("Claude Platform on AWS", "aws-claude-platform", "bedrock/claude_platform/claude-sonnet-4-5"),
    *_every("Bedrock Mantle Claude", "mantle-claude", "bedrock_mantle/anthropic.claude-opus-5-5"),
    *_every("Bedrock Claude, Mantle", "bedrock-mantle", "bedrock/mantle/anthropic.claude-opus-5-5"),
    *_every("Bedrock Mantle OpenAI", "mantle-breakpoints", "bedrock_mantle/openai.gpt-5.6-sol"),
    *_every("Vertex AI Claude", "vertex-claude", "vertex_ai/claude-sonnet-4-5@20250929"),
    *_every("Azure AI Claude", "foundry-claude", "azure_ai/claude-sonnet-4-5"),
    _responses("Azure AI from GPT-5.6 on", "foundry-breakpoints", "azure_ai/gpt-5.6-sol"),
    _chat("Azure AI from GPT-5.6 on, chat", "foundry-breakpoints", "azure_ai/gpt-5.6-sol"),
    _chat("Azure AI, other models", "foundry-other", "azure_ai/mistral-large"),
    *_both("OpenRouter Claude", "openrouter-claude", "openrouter/anthropic/claude-sonnet-4.5"),
    *_both("OpenRouter Gemini", "openrouter-gemini", "openrouter/google/gemini-2.5-pro"),
    _chat("OpenRouter Gemini from 4 on", "openrouter-gemini-4", "openrouter/google/gemini-4-pro"),
    _chat("OpenRouter GLM", "openrouter-explicit", "openrouter/z-ai/glm-4.6"),
    _chat("OpenRouter MiniMax", "openrouter-explicit", "openrouter/minimax/minimax-m2"),
    *_every("OpenRouter from GPT-5.6 on", "openrouter-breakpoints", "openrouter/openai/gpt-5.6"),
    _chat("OpenRouter Qwen", "openrouter-qwen", "openrouter/qwen/qwen3-max"),
    _chat("OpenRouter, other models", "openrouter-other", "openrouter/openai/gpt-4o"),
    *_both("Databricks Claude", "databricks-claude", "databricks/databricks-claude-sonnet-4-5"),
    *_both("Databricks Claude, an endpoint", "databricks-claude-endpoint", "databricks/my-claude-endpoint"),
    *_both("Snowflake Claude", "snowflake-claude", "snowflake/claude-sonnet-4-5"),
    _chat("DashScope Qwen", "dashscope", "dashscope/qwen3-max"),
    _responses("DashScope Qwen", "dashscope", "dashscope/qwen3-max"),
    _chat("Qwen Cloud", "qwen-cloud", "qwencloud/qwen3.7-max"),
    _chat("Qwen AI Platform", "qwen-cloud", "qwen_ai_platform/qwen3.8-max"),
    *_every("GMI Claude", "gateway-claude", "gmi/anthropic/claude-sonnet-4.5"),
    *_every("AIHubMix Claude", "gateway-claude", "aihubmix/claude-sonnet-4-6"),
    *_both("OpenCode Claude", "opencode-claude", "opencode_go/claude-haiku-5-5"),
    *_both("OpenCode Qwen", "opencode-qwen", "opencode_go/qwen3.8-max"),
    _native("GitHub Copilot Claude, messages", "copilot-claude", "github_copilot/claude-sonnet-5.5"),
    _chat("GitHub Copilot Claude, chat", "copilot-claude", "github_copilot/claude-sonnet-5.5"),
    *_both("SAP Claude", "sap-claude", "sap/anthropic--claude-4.5-sonnet"),
    *_every("MiniMax", "minimax", "minimax/MiniMax-M2.5"),
    *_both("litellm proxy, Claude", "litellm-proxy-claude", "litellm_proxy/claude-sonnet-4-5"),
    _chat(
        "OpenAI-compatible server, Claude",
        "openai-compatible-claude",
        "openai/claude-sonnet-4-5",
        api_base="https://proxy.example/v1",
    ),
    _chat(
        "OpenAI-compatible server", "openai-compatible", "openai/llama", api_base="https://proxy.example/v1"
    ),
    _chat("OpenAI before GPT-5.6", "openai-automatic", "openai/gpt-4o"),
    *_every("OpenAI from GPT-5.6 on", "openai-breakpoints", "openai/gpt-5.6"),
    *_every("OpenAI, the Responses API's bridge", "openai-bridged", "openai/responses/gpt-5.6"),
    *_every("OpenAI from GPT-5.6 on, fine-tuned", "openai-fine-tuned", "openai/ft:gpt-5.6:acme"),
    _chat("Azure OpenAI before GPT-5.6", "openai-automatic", "azure/gpt-4o"),
    *_every("Azure OpenAI from GPT-5.6 on", "azure-breakpoints", "azure/gpt-5.6"),
    _chat("Azure OpenAI, a deployment", "azure-breakpoints", "azure/prod-1", base_model="azure/gpt-5.6"),
    _chat("Gemini", "gemini", "gemini/gemini-2.5-pro"),
    _chat("Vertex AI Gemini", "gemini", "vertex_ai/gemini-2.5-pro"),
    _chat("DeepSeek", "deepseek", "deepseek/deepseek-chat"),
    _chat("Groq", "groq", "groq/llama-3.3-70b-versatile"),
    _chat("xAI", "xai", "xai/grok-4"),
    _chat("Mistral", "mistral", "mistral/mistral-large-latest"),
    _chat("Moonshot", "moonshot", "moonshot/kimi-k2"),
    _chat("Moonshot from K3 on", "moonshot-k3", "moonshot/kimi-k3"),
    _chat("Z.ai", "zai", "zai/glm-4.6"),
    _chat("Fireworks", "fireworks", "fireworks_ai/accounts/fireworks/models/x"),
    _chat("Together", "together", "together_ai/x/y"),
    _chat("Cohere", "cohere", "cohere_chat/command-r-plus"),
    _chat("Ollama", "ollama", "ollama_chat/llama3"),
    _chat("vLLM", "vllm", "hosted_vllm/x"),
    _chat("Vercel AI Gateway", "vercel", "vercel_ai_gateway/anthropic/claude-sonnet-4.5"),
    _chat("a provider of which only prices are known", "priced", "deepinfra/x"),
    _chat("a provider without an entry", None, "nvidia_nim/x"),
]
