"""Routes: from a request's own words to who serves it and what survives there."""

from __future__ import annotations

import litellm
import pytest
from litellm.llms.bedrock.common_utils import get_bedrock_base_model

from policy_cache.providers.cache_rules import AutomaticRules, ExplicitRules
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.providers.resolve import resolve

litellm.suppress_debug_info = True
CATALOG = packaged_catalog()

BOTH, SHORT, NONE = {"5m", "1h"}, {"5m"}, set()
ARN = "arn:aws:bedrock:us-east-1:123456789012"


def route(model, provider=None, api_base=None, shape="chat"):
    return resolve(CATALOG, model=model, provider=provider, api_base=api_base, shape=shape)


EXPLICIT = [
    # Anthropic
    ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", "anthropic", BOTH, 1024),
    ("Anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5", "anthropic", BOTH, 1024),
    ("anthropic/brand-new", "anthropic", "brand-new", "anthropic", BOTH, 1024),
    ("claude-opus-4-5-20251101", "anthropic", "claude-opus-4-5-20251101", "anthropic", BOTH, 4096),
    ("claude-opus-4-6", "anthropic", "claude-opus-4-6", "anthropic", BOTH, 4096),
    ("claude-opus-4-7", "anthropic", "claude-opus-4-7", "anthropic", BOTH, 2048),
    ("claude-opus-4-8", "anthropic", "claude-opus-4-8", "anthropic", BOTH, 1024),
    ("claude-opus-5", "anthropic", "claude-opus-5", "anthropic", BOTH, 512),
    ("claude-opus-5-5", "anthropic", "claude-opus-5-5", "anthropic", BOTH, 512),
    ("claude-sonnet-5", "anthropic", "claude-sonnet-5", "anthropic", BOTH, 1024),
    ("claude-sonnet-5-5", "anthropic", "claude-sonnet-5-5", "anthropic", BOTH, 512),
    ("claude-haiku-4-5", "anthropic", "claude-haiku-4-5", "anthropic", BOTH, 4096),
    ("claude-haiku-5-5", "anthropic", "claude-haiku-5-5", "anthropic", BOTH, 512),
    ("claude-fable-5-1", "anthropic", "claude-fable-5-1", "anthropic", BOTH, 512),
    ("claude-mythos-5-2", "anthropic", "claude-mythos-5-2", "anthropic", BOTH, 512),
    ("claude-mythos-preview", "anthropic", "claude-mythos-preview", "anthropic", BOTH, 2048),
    ("claude-3-5-haiku-20241022", "anthropic", "claude-3-5-haiku-20241022", "anthropic", BOTH, 2048),
    ("claude-3-7-sonnet-20250219", "anthropic", "claude-3-7-sonnet-20250219", "anthropic", BOTH, 1024),
    # Vertex
    (
        "vertex_ai/claude-opus-4-5@20251101",
        "vertex_ai",
        "claude-opus-4-5@20251101",
        "vertex-claude",
        BOTH,
        4096,
    ),
    ("vertex_ai/claude-sonnet-4-5", "vertex_ai", "claude-sonnet-4-5", "vertex-claude", BOTH, 1024),
    ("claude-sonnet-4-5@20250929", "vertex_ai", "claude-sonnet-4-5@20250929", "vertex-claude", BOTH, 1024),
    # Azure AI
    ("azure_ai/claude-sonnet-4-5", "azure_ai", "claude-sonnet-4-5", "foundry-claude", BOTH, 1024),
    # Bedrock
    (
        "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock",
        "anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock-claude",
        BOTH,
        1024,
    ),
    (
        "bedrock/invoke/us.anthropic.claude-opus-4-5-20251101-v1:0",
        "bedrock",
        "invoke/us.anthropic.claude-opus-4-5-20251101-v1:0",
        "bedrock-claude-invoke",
        BOTH,
        4096,
    ),
    (
        "bedrock/converse/global.anthropic.claude-opus-4-7",
        "bedrock",
        "converse/global.anthropic.claude-opus-4-7",
        "bedrock-claude-converse",
        BOTH,
        4096,
    ),
    (
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "bedrock",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "bedrock-claude",
        BOTH,
        4096,
    ),
    (
        "bedrock/us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "bedrock",
        "us.anthropic.claude-3-7-sonnet-20250219-v1:0",
        "bedrock-claude",
        SHORT,
        1024,
    ),
    (
        "bedrock/us.anthropic.claude-opus-4-1-20250805-v1:0",
        "bedrock",
        "us.anthropic.claude-opus-4-1-20250805-v1:0",
        "bedrock-claude",
        SHORT,
        1024,
    ),
    (
        "bedrock/us.anthropic.claude-sonnet-4-20250514-v1:0",
        "bedrock",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "bedrock-claude",
        SHORT,
        1024,
    ),
    (
        f"bedrock/{ARN}:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock",
        f"{ARN}:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "bedrock-claude",
        BOTH,
        1024,
    ),
    (
        f"bedrock/{ARN}::foundation-model/anthropic.claude-3-7-sonnet-20250219-v1:0",
        "bedrock",
        f"{ARN}::foundation-model/anthropic.claude-3-7-sonnet-20250219-v1:0",
        "bedrock-claude",
        SHORT,
        1024,
    ),
]


@pytest.mark.parametrize("row", EXPLICIT, ids=lambda row: row[0])
def test_routes_that_take_markers(row):
    model, provider, bare, name, ttls, minimum = row
    found = route(model)
    assert (found.provider, found.model, found.name) == (provider, bare, name)
    assert (found.mechanism, found.breakpoints, found.ttls, found.minimum) == ("explicit", 4, ttls, minimum)
    assert found.request_marker is (provider != "bedrock")
    assert found.blocks.tools
    assert route(model, shape="messages").blocks.tools


@pytest.mark.parametrize(
    ("model", "provider", "bare", "name", "mechanism"),
    [
        ("bedrock/anthropic.claude-3-sonnet-20240229-v1:0", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/anthropic.claude-3-opus-20240229-v1:0", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/anthropic.claude-instant-v1", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/anthropic.claude-v2:1", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/mantle/zai.glm-4.6", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/agent/claude/X", "bedrock", None, "bedrock-uncached", "none"),
        ("bedrock/invoke/amazon.nova-pro-v1:0", "bedrock", None, "bedrock-nova-invoke", "unknown"),
        ("bedrock/invoke/us.amazon.nova-pro-v1:0", "bedrock", None, "bedrock-nova-invoke", "unknown"),
        ("bedrock/amazon.nova-sonic-v1:0", "bedrock", None, "priced", "unknown"),
        ("bedrock/meta.llama3-70b-instruct-v1:0", "bedrock", None, "priced", "unknown"),
        (f"bedrock/{ARN}:application-inference-profile/abc", "bedrock", None, "priced", "unknown"),
        ("azure_ai/mistral-large", "azure_ai", None, "foundry-other", "automatic"),
        ("vertex_ai/gemini-4-argon", "vertex_ai", None, "gemini-4", "automatic"),
        ("gemini/gemini-4-argon", "gemini", None, "gemini-4", "automatic"),
        ("gemini/models/gemini-4-argon", "gemini", None, "gemini-4", "automatic"),
        ("vertex_ai/google/gemini-4-argon", "vertex_ai", None, "gemini-4", "automatic"),
        ("vertex_ai/mistral-large", "vertex_ai", None, "vertex-other", "none"),
        ("vertex_ai_beta/claude-sonnet-4-5", "vertex_ai_beta", None, "vertex-other", "none"),
        ("gpt-4o", "openai", "gpt-4o", "openai-automatic", "automatic"),
        ("openai/gpt-5.5", "openai", None, "openai-automatic", "automatic"),
        ("o3", "openai", "o3", "openai-automatic", "automatic"),
        ("ft:gpt-4o:acme::1", "openai", "ft:gpt-4o:acme::1", "openai-automatic", "automatic"),
        ("openai/claude-x", "openai", None, "openai-automatic", "automatic"),
        ("azure/my-deployment", "azure", None, "openai-automatic", "automatic"),
        ("deepseek/deepseek-chat", "deepseek", None, "deepseek", "automatic"),
        ("groq/llama-3", "groq", None, "groq", "automatic"),
        ("hosted_vllm/anthropic/claude", "hosted_vllm", None, "vllm", "automatic"),
        ("openrouter/openai/gpt-4o", "openrouter", None, "openrouter-other", "automatic"),
        ("databricks/databricks-llama", "databricks", None, "databricks-other", "none"),
        ("litellm_proxy/gpt", "litellm_proxy", None, "litellm-proxy-other", "none"),
        ("opencode_go/claude-sonnet-5-5", "opencode_go", None, "priced", "unknown"),
        ("minimax/MiniMax-M3", "minimax", None, "minimax-automatic", "automatic"),
        ("acme/super-claude", "acme", None, None, "unknown"),
        ("super", "", "super", None, "unknown"),
        ("my-claude", "", "my-claude", None, "unknown"),
        ("", "", "", None, "unknown"),
        ("/", "", "", None, "unknown"),
    ],
)
def test_routes_that_take_none(model, provider, bare, name, mechanism):
    found = route(model)
    assert (found.provider, found.name, found.mechanism) == (provider, name, mechanism)
    assert found.model == (model.partition("/")[2] if bare is None else bare)
    assert (found.breakpoints, found.ttls, found.request_marker) == (0, NONE, False)
    assert not found.blocks.tools


@pytest.mark.parametrize(
    ("model", "given", "provider", "bare"),
    [
        ("claude-x", "bedrock", "bedrock", "claude-x"),
        ("anthropic/claude-x", "anthropic", "anthropic", "claude-x"),
        ("anthropic/claude-x", "Anthropic", "anthropic", "claude-x"),
        (
            f"{ARN}:inference-profile/us.anthropic.claude-x",
            "bedrock",
            "bedrock",
            f"{ARN}:inference-profile/us.anthropic.claude-x",
        ),
        ("anthropic/claude-x", "openrouter", "openrouter", "anthropic/claude-x"),
        ("gpt-4o", "acme", "acme", "gpt-4o"),
    ],
)
def test_a_given_provider_decides(model, given, provider, bare):
    found = route(model, given)
    assert (found.provider, found.model) == (provider, bare)


@pytest.mark.parametrize(
    ("api_base", "provider"),
    [
        ("https://api.anthropic.com", "anthropic"),
        ("https://api.anthropic.com/v1/messages", "anthropic"),
        ("https://API.Anthropic.com:443/", "anthropic"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://us-east5-aiplatform.googleapis.com/v1", "vertex_ai"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "bedrock"),
        ("https://x.services.ai.azure.com/anthropic", "azure_ai"),
        ("https://x.openai.azure.com", "azure"),
        ("https://api.openai.com/v1", "openai"),
        ("https://api.deepseek.com", "deepseek"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://api.anthropic.com.evil.example", ""),
        ("https://localhost:4000/api.anthropic.com", ""),
        ("not a url", ""),
        ("", ""),
    ],
)
def test_a_known_host_decides_for_a_bare_name(api_base, provider):
    assert route("super", api_base=api_base).provider == provider


def test_a_prefix_comes_before_a_host_and_a_host_before_a_name():
    assert route("anthropic/claude-x", api_base="https://api.openai.com/v1").provider == "anthropic"
    assert route("claude-x", api_base="https://api.openai.com/v1").provider == "openai"
    assert route("claude-x", api_base="https://gateway.example").provider == "anthropic"


def test_the_parameters_of_a_route():
    taken = {name: entry.model_dump() for name, entry in route("gpt-4o").parameters.items()}
    assert taken == {
        "prompt_cache_key": {"send": "argument", "longest": 64, "values": ()},
        "prompt_cache_retention": {"send": "extra_body", "longest": None, "values": ("in_memory", "24h")},
    }
    assert set(route("gpt-5.6").parameters) == {"prompt_cache_key", "prompt_cache_options"}
    assert route("claude-x").parameters == {}


@pytest.mark.parametrize(
    ("model", "api_base", "name"),
    [
        ("openai/claude-x", None, "openai-automatic"),
        ("openai/claude-x", "https://api.openai.com/v1", "openai-automatic"),
        ("openai/claude-x", "https://proxy.example/v1", "openai-compatible-claude"),
        ("openai/llama", "https://proxy.example/v1", "openai-compatible"),
        ("openai/gpt-5.6", "https://proxy.example/v1", "openai-compatible"),
        ("openai/gpt-5.6", "not a url", "openai-breakpoints"),
        ("azure/gpt-5.6", "https://gateway.example", "azure-breakpoints"),
        ("openai/gpt-5.5", None, "openai-automatic"),
        ("openai/gpt-5.10", None, "openai-breakpoints"),
        ("azure/gpt-5.12-mini", None, "azure-breakpoints"),
        ("openai/gpt-5.1-codex", None, "openai-automatic"),
        ("openai/gpt-5.2-2025-12-11", None, "openai-automatic"),
        ("openai/gpt-6.1-sol", None, "openai-breakpoints"),
        ("azure/eu-gpt-6-luna", None, "azure-breakpoints"),
    ],
)
def test_who_stands_behind_openais_api(model, api_base, name):
    assert route(model, api_base=api_base).name == name


def test_how_a_marker_is_written():
    assert route("claude-x").markers == {
        "5m": {"type": "ephemeral"},
        "1h": {"type": "ephemeral", "ttl": "1h"},
    }
    assert route("gpt-5.6").markers == {"5m": {"mode": "explicit"}}
    assert route("gpt-5.6").key == "prompt_cache_breakpoint"
    gemini = route("gemini/gemini-2.5-pro")
    assert gemini.markers["5m"] == {"type": "ephemeral", "ttl": "5m"}
    assert (gemini.run, gemini.only_when_named, gemini.is_plain) == (True, "gemini", False)


def test_the_blocks_of_a_shape():
    chat, native = route("claude-x").blocks, route("claude-x", shape="messages").blocks
    assert (chat.tool_calls, chat.tool_messages) == (True, {"tool", "function"})
    assert (native.tool_calls, native.tool_messages) == (False, frozenset())
    assert "tool_result" in native.user
    assert "tool_result" not in chat.user
    assert "thinking" not in native.assistant | chat.assistant


# litellm's own answers

CLAUDES = sorted(
    name
    for name, entry in litellm.model_cost.items()
    if "claude" in name
    and entry.get("litellm_provider", "").split("-")[0]
    in {"anthropic", "bedrock", "bedrock_converse", "vertex_ai", "azure_ai"}
)
PREFIXED = [
    "anthropic/brand-new",
    "bedrock/invoke/us.anthropic.claude-opus-4-5-20251101-v1:0",
    "bedrock/converse/anthropic.claude-3-7-sonnet-20250219-v1:0",
    f"bedrock/{ARN}:application-inference-profile/abc",
    "openai/claude-x",
    "azure/gpt-4o",
    "hosted_vllm/anthropic/claude",
    "openrouter/anthropic/claude-sonnet-4.5",
    "groq/llama-3",
    "gemini/gemini-2.5-pro",
    "gemini-2.5-pro",
    "gpt-4o",
    "gpt-5.6",
    "o3",
    "ft:gpt-4o:acme::1",
]


@pytest.mark.parametrize("model", [*CLAUDES, *PREFIXED])
def test_the_provider_is_the_one_that_litellm_finds(model):
    bare, provider, _, _ = litellm.get_llm_provider(model)
    found = route(model)
    # litellm knows which model is the latest; what a policy matches is the name that was asked for.
    named = model.rpartition("/")[2] if model.endswith("-latest") else bare
    assert (found.provider, found.model) == (provider, named)


def test_there_are_names_to_compare():
    assert len(CLAUDES) > 150


BEDROCK_CLAUDES = [
    name
    for name in CLAUDES
    if litellm.model_cost[name]["litellm_provider"] in {"bedrock", "bedrock_converse"}
]


@pytest.mark.parametrize("model", BEDROCK_CLAUDES)
def test_1h_on_bedrock_is_what_litellm_forwards(model):
    found = route(model, "bedrock")
    if found.name == "bedrock-claude":
        names = found.model, get_bedrock_base_model(found.model)
        prices = [litellm.model_cost.get(name, {}) for name in names]
        forwards = any(price.get("cache_creation_input_token_cost_above_1hr") is not None for price in prices)
        assert ("1h" in found.ttls) is forwards


@pytest.mark.parametrize("model", BEDROCK_CLAUDES)
def test_a_bedrock_model_is_uncached_where_litellm_says_so(model):
    cached = litellm.model_cost[model].get("supports_prompt_caching") is True
    assert (route(model, "bedrock").mechanism == "explicit") is cached


# litellm's map calls some providers by the API that it sends through.
SENT_AS = {
    "bedrock_converse": "bedrock",
    "vertex_ai-anthropic_models": "vertex_ai",
    "vertex_ai-language-models": "vertex_ai",
}
# Ours, litellm's, and why ours stays.
DIFFERENCES = {
    "claude-opus-4-7": (
        4096,
        2048,
        "on Bedrock: AWS's own page has 4,096, Anthropic's 2,048 for its own API",
    ),
    "claude-mythos-preview": (2048, 512, "Anthropic's page has 2,048"),
}


def test_the_minimums_are_litellms_but_for_a_few():
    compared, differences = set(), {}
    for name, entry in litellm.model_cost.items():
        theirs = entry.get("prompt_cache_min_tokens")
        if theirs is None:
            continue
        provider = SENT_AS.get(entry["litellm_provider"], entry["litellm_provider"])
        found = route(name.removeprefix(f"{provider}/"), provider)
        if found.minimum:
            compared.add(found.name)
            if found.minimum != theirs:
                differences[name.split(".")[-1]] = (found.minimum, theirs)
    assert differences == {name: (ours, theirs) for name, (ours, theirs, _) in DIFFERENCES.items()}
    assert compared == {
        "anthropic",
        "aws-claude-platform",
        "bedrock-claude",
        "databricks-claude",
        "databricks-claude-endpoint",
        "foundry-claude",
        "gateway-claude",
        "gemini",
        "gemini-4",
        "mantle-claude",
        "snowflake-claude",
        "vertex-claude",
    }


@pytest.mark.parametrize(
    ("model", "minimum"),
    [
        ("claude-fable-5-1", 512),
        ("claude-opus-5-5", 512),
        ("claude-opus-5", 512),
        ("claude-sonnet-5-5", 512),
        ("claude-sonnet-5", 1024),
        ("claude-opus-4-8", 1024),
        ("claude-sonnet-4-20250514", 1024),
        ("claude-opus-4-7", 2048),
        ("claude-3-haiku-20240307", 2048),
        ("claude-opus-4-6", 4096),
        ("claude-haiku-4-5-20251001", 4096),
        ("claude-unheard-of", 1024),
    ],
)
def test_how_claude_caches(model, minimum):
    expected = ExplicitRules(minimum=minimum, lookback=20, short=300.0, long=3_600.0)
    for provider in ("anthropic", "vertex_ai", "azure_ai", "openrouter", "litellm_proxy"):
        assert route(model, provider).cache == expected


@pytest.mark.parametrize(
    ("model", "lookback", "lifetimes", "prolonged"),
    [
        ("dashscope/qwen4-max", 20, (300, 3_600), True),
        ("minimax/MiniMax-M2.5", 20, (300, 300), True),
        ("bedrock/amazon.nova-pro-v1:0", 20, (300, 300), True),
        ("openrouter/google/gemini-2.5-pro", 20, (300, 300), False),
        ("openrouter/z-ai/glm-4.6", 20, (300, 3_600), True),
    ],
)
def test_how_others_with_markers_cache(model, lookback, lifetimes, prolonged):
    rules = route(model).cache
    assert (rules.lookback, rules.short, rules.long, rules.prolonged) == (lookback, *lifetimes, prolonged)


@pytest.mark.parametrize(
    ("model", "api_base"),
    [
        ("cohere/command-a", None),
        ("hosted_vllm/qwen3-32b", None),
        ("openai/gpt-4o", "https://proxy.example/v1"),
        ("gemini/gemini-2.0-flash", None),
    ],
)
def test_how_it_caches_is_not_known(model, api_base):
    assert route(model, api_base=api_base).cache is None


def test_what_a_provider_does_by_itself_stands_beside_its_markers():
    found = route("dashscope/qwen3-max")
    assert (type(found.marked), type(found.automatic)) == (ExplicitRules, AutomaticRules)
    assert found.cache is found.marked
    # Markers are lost in this shape, and what is cached unasked is not.
    assert isinstance(route("dashscope/qwen3-max", shape="messages").cache, AutomaticRules)


CONVERSE = "bedrock-claude-converse", "converse/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = f"{ARN}:application-inference-profile/xyz"


@pytest.mark.parametrize(
    ("model", "base_model", "name", "resolved"),
    [
        ("azure/prod-1", "azure/gpt-5.6", "azure-breakpoints", "gpt-5.6"),
        ("azure/prod-1", "gpt-5.6-sol", "azure-breakpoints", "gpt-5.6-sol"),
        ("azure/prod-1", "azure/gpt-4o", "openai-automatic", "gpt-4o"),
        (f"bedrock/{PROFILE}", "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", *CONVERSE),
        (f"bedrock/converse/{PROFILE}", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", *CONVERSE),
        (
            f"bedrock/invoke/{PROFILE}",
            "anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock-claude-invoke",
            "invoke/anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (f"bedrock/{PROFILE}", "us.amazon.nova-pro-v1:0", "bedrock-nova", "converse/us.amazon.nova-pro-v1:0"),
    ],
)
def test_a_deployment_goes_by_what_it_is_of(model, base_model, name, resolved):
    found = resolve(CATALOG, model=model, provider=None, api_base=None, shape="chat", base_model=base_model)
    assert (found.name, found.model, found.deployment) == (name, resolved, model.partition("/")[2])


@pytest.mark.parametrize(
    ("model", "base_model"),
    [
        ("azure_ai/prod", "azure_ai/claude-sonnet-4-5"),
        ("databricks/prod", "databricks/databricks-claude-sonnet-4-5"),
        ("bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/amazon.nova-pro-v1:0"),
    ],
)
def test_litellm_goes_by_the_name_of_other_deployments(model, base_model):
    assert route(model) == resolve(
        CATALOG, model=model, provider=None, api_base=None, shape="chat", base_model=base_model
    )
