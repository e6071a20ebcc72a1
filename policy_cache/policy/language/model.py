"""The policy language, version 1: the source of its JSON Schema and of its reference page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeAlias, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import core_schema

from policy_cache.policy.language.words import (
    CACHE_MODES,
    CACHING,
    CLIENT_MARKERS,
    INJECTIONS,
    MAY_BE_BARE,
    MODES,
    NAMED_TARGETS,
    NEED_TARGETS,
    RETENTIONS,
    SHAPES,
    TAKE_NO_TARGETS,
    TAKES,
    TARGETS,
    TTLS,
)
from policy_cache.request.prompt import Shape  # noqa: TC001, pydantic looks it up
from policy_cache.text.words import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import CoreSchema

Ttl: TypeAlias = Literal["5m", "1h", "auto"]
"""How long a provider keeps a cache entry after its last use; `auto` leaves it to what was seen."""

_TARGET_EXAMPLES = [*NAMED_TARGETS, "$.tools[-1]", "$.messages[0].content[-1]"]
_TARGET_HELP = f"a target is a JSONPath that begins with `$`, or one of {listed(NAMED_TARGETS)}"
_TARGET_PATTERN = rf"^(\$[\s\S]+|{'|'.join(map(re.escape, NAMED_TARGETS))})$"


def _explained(meanings: Mapping[str, str]) -> dict[str, Any]:
    """The keyword by which editors explain an enum's values, in their order."""
    return {"enumDescriptions": list(meanings.values())}


def _offered(meanings: Mapping[str, str]) -> dict[str, Any]:
    """The keyword by which editors offer words, each with its meaning, where other texts are valid too."""
    snippets = [{"label": word, "description": text, "body": word} for word, text in meanings.items()]
    return {"defaultSnippets": snippets}


def _refused(text: str) -> dict[str, Any]:
    """The keyword by which editors, and the check of a file, say what a pattern asks for."""
    return {"patternErrorMessage": text}


class _OneOrMore:
    """Takes a value where a list of them may stand, and says so in the schema without an alternative."""

    @staticmethod
    def _as_list(value: object) -> object:
        return value if isinstance(value, (list, tuple)) else (value,)

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_list, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        listed = handler(core)
        value = dict(listed["items"])
        types = value.pop("type")
        if words := value.pop("enum", None):  # which would refuse a list
            value["pattern"] = f"^({'|'.join(words)})$"
        return listed | {"type": [*([types] if isinstance(types, str) else types), "array"]} | value


class _Scalar:
    """Takes a number, true or false for its text, as a request's metadata is compared."""

    @staticmethod
    def _as_text(value: object) -> object:
        if isinstance(value, bool):
            return str(value).lower()
        return str(value) if isinstance(value, (int, float)) else value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_text, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return handler(core) | {"type": ["string", "number", "boolean"]}


_Text = Annotated[str, Field(min_length=1)]
_Value = Annotated[str, Field(min_length=1), _Scalar()]
_HeaderText = Annotated[
    str,
    Field(
        pattern=r"^[!-~]([ -~]*[!-~])?$",
        json_schema_extra={"patternErrorMessage": "a header takes ASCII, and no space at either end"},
    ),
]

Texts = Annotated[tuple[_Text, ...], Field(min_length=1), _OneOrMore()]
"""One text or a list of them; one is enough to match."""

Caching: TypeAlias = Literal["explicit", "automatic", "none", "unknown"]
"""What the route of a request does about caching, as the catalog knows it."""

Values = dict[str, Annotated[tuple[_Value, ...], Field(min_length=1), _OneOrMore()]]
"""Names, each with the values it may have."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class _Filled(_Part):
    """A part that may not be empty."""

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if all(value is None for _, value in self):
            raise ValueError(f"it needs one of {listed(type(self).model_fields)}")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        schema["minProperties"] = 1
        return schema


class Range(_Filled):
    """An inclusive range of whole numbers, open on the side that is left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"min": 2}, {"min": 1, "max": 20}]})

    min: int | None = Field(
        default=None, ge=0, title="At least", description="The smallest number that matches."
    )
    max: int | None = Field(
        default=None, ge=0, title="At most", description="The largest number that matches."
    )

    @model_validator(mode="after")
    def _is_in_order(self) -> Range:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("`min` is larger than `max`")
        return self

    def __contains__(self, number: int) -> bool:
        return (self.min is None or number >= self.min) and (self.max is None or number <= self.max)


class Sample(_Part):
    """A stable share of traffic: requests with the same key always fall on the same side."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"percent": 10, "by": "metadata.session_id"}]})

    percent: float = Field(
        ge=0,
        le=100,
        title="Share",
        description="How much of the traffic matches, in percent.",
        examples=[10, 50],
    )
    by: str = Field(
        min_length=1,
        title="Key",
        description="What is hashed: `metadata.<name>`, `headers.<name>`, `alias` or `model`.",
        examples=["metadata.session_id", "headers.x-session-id", "alias", "model"],
        pattern=r"^((metadata|headers)\.\S+|alias|model)$",
        json_schema_extra=_refused("one of `metadata.<name>`, `headers.<name>`, `alias` or `model`"),
    )


class Match(_Part):
    """Conditions on a request. All of them must hold; of the values in a list, one is enough.

    Names and models compare without case, and a glob must match the whole value.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"model": "*claude*", "messages": {"min": 2}}]})

    provider: Texts = Field(
        default=(),
        title="Provider",
        description="The provider's name as litellm spells it. Globs are allowed.",
        examples=["anthropic", ["anthropic", "bedrock", "vertex_ai", "azure_ai"]],
    )
    model: Texts = Field(
        default=(),
        title="Model",
        description="The model without its provider's prefix: a glob, or `re:` and an expression for RE2.",
        examples=["*claude*", "re:claude-(opus|sonnet)-4.*"],
    )
    alias: Texts = Field(
        default=(),
        title="Alias",
        description="The router's own name for the model. Globs are allowed.",
        examples=["claude-sonnet", "team-*"],
    )
    caching: Annotated[tuple[Caching, ...], Field(min_length=1), _OneOrMore()] = Field(
        default=(),
        title="Caching",
        description="What the provider does about caching, as the catalog knows it.",
        examples=["explicit", ["automatic", "none", "unknown"]],
        json_schema_extra=_offered(CACHING) | _refused(f"expected one of {listed(CACHING)}"),
    )
    shape: Shape | None = Field(
        default=None,
        title="Request shape",
        description=(
            "`chat` for the OpenAI format, `messages` for the Anthropic Messages API, "
            "`responses` for OpenAI's Responses API."
        ),
        json_schema_extra=_explained(SHAPES),
    )
    stream: bool | None = Field(
        default=None, title="Streaming", description="Whether the request asks for a stream."
    )
    tools: Range | None = Field(
        default=None, title="Tools", description="How many tools the request has.", examples=[{"min": 1}]
    )
    messages: Range | None = Field(
        default=None,
        title="Messages",
        description="How many messages the request has.",
        examples=[{"min": 2}],
    )
    tokens: Range | None = Field(
        default=None,
        title="Tokens",
        description="The estimated size of the whole prompt, in tokens.",
        examples=[{"min": 4096}],
    )
    metadata: Values = Field(
        default={},
        title="Metadata",
        description="Names with the values they may have, as globs. Dotted names reach into nested metadata.",
        examples=[{"tenant": "acme-*"}, {"user.plan": ["pro", "team"]}],
    )
    headers: Values = Field(
        default={},
        title="Headers",
        description="Header names, in any case, with the values they may have, as globs.",
        examples=[{"x-agent": "*"}],
    )
    exists: Texts = Field(
        default=(),
        title="Exists",
        description="JSONPaths into the request that must match something.",
        examples=["$.tools[*]"],
    )
    missing: Texts = Field(
        default=(),
        title="Missing",
        description="JSONPaths into the request that must match nothing.",
        examples=["$.response_format"],
    )
    sample: Sample | None = Field(
        default=None,
        title="Sample",
        description="A stable share of traffic, by hash.",
        examples=[{"percent": 10, "by": "metadata.session_id"}],
    )


class Target(_Part):
    """A place in the request: one of the named ones, a JSONPath, or a mapping that says more."""

    model_config = ConfigDict(json_schema_extra={"examples": [*_TARGET_EXAMPLES]})

    at: str = Field(
        min_length=1,
        title="Place",
        description="A named target, or a JSONPath that begins with `$`.",
        examples=_TARGET_EXAMPLES,
        pattern=_TARGET_PATTERN,
        json_schema_extra=_offered(TARGETS) | _refused(_TARGET_HELP),
    )
    take: Annotated[
        Literal["first", "last", "all"] | Annotated[int, Field(ge=1)],
        WithJsonSchema({"type": ["string", "integer"], "minimum": 1, "pattern": f"^({'|'.join(TAKES)})$"}),
    ] = Field(
        default="all",
        title="Which of the hits",
        description="`first`, `last`, `all`, or a number: so many, those nearest the end first.",
        examples=[*TAKES, 2],
        json_schema_extra=_offered(TAKES) | _refused(f"expected one of {listed(TAKES)}, or a number"),
    )
    ttl: Ttl | None = Field(
        default=None,
        title="Lifetime",
        description="The lifetime here, in place of the action's own.",
        json_schema_extra=_explained(TTLS),
    )
    boundary: str | None = Field(
        default=None,
        min_length=1,
        title="Boundary",
        description="For `system.stable`: a text with which the part begins that changes with every request.",
        examples=["## Today"],
    )

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"at": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if (self.at == "system.stable") is (self.boundary is None):
            msg = "`system.stable`, and nothing else, takes a `boundary`"
            raise ValueError(msg)
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core))
        schema |= {"type": ["string", "object"], "minLength": 1, "pattern": _TARGET_PATTERN}
        meanings = "\n".join(f"- `{name}`: {meaning}" for name, meaning in TARGETS.items())
        schema |= _offered(TARGETS) | _refused(_TARGET_HELP)
        schema |= {"description": f"{cls.__doc__}\n\n{meanings}"}
        return schema


class AddCacheControl(_Part):
    """Mark the targets as ends of cacheable prefixes."""

    model_config = ConfigDict(json_schema_extra={"type": ["object", "null"], "examples": [{"ttl": "1h"}, {}]})

    ttl: Ttl | None = Field(
        default=None,
        title="Lifetime",
        description="How long the provider keeps the entry; five minutes when left out.",
        examples=["1h"],
        json_schema_extra=_explained(TTLS),
    )


class RemoveCacheControl(_Part):
    """Remove markers at the targets, or everywhere when the rule has none."""

    model_config = ConfigDict(json_schema_extra={"type": ["object", "null"]})


class PromptCacheOptions(_Filled):
    """Options of the OpenAI prompt cache."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"mode": "explicit"}]})

    mode: Literal["implicit", "explicit"] | None = Field(
        default=None,
        title="Mode",
        description="`explicit` caches only at breakpoints, `implicit` where the provider chooses.",
        json_schema_extra=_explained(CACHE_MODES),
    )
    ttl: str | None = Field(
        default=None,
        min_length=1,
        title="Lifetime",
        description="A lifetime the provider takes.",
        examples=["30m"],
    )


class GatewayOptions(_Filled):
    """Options of Vercel's AI Gateway."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"caching": "auto"}]})

    caching: Literal["auto"] | None = Field(
        default=None,
        title="Caching",
        description="`auto`: for models that need a marker, the gateway sets one behind what stays the same.",
    )


class ProviderOptions(_Filled):
    """What a gateway does for the providers behind it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"gateway": {"caching": "auto"}}]})

    gateway: GatewayOptions | None = Field(
        default=None, title="Gateway", description="Options of Vercel's AI Gateway."
    )


class SetParameters(_Filled):
    """Set cache parameters of the request, on routes that take them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"prompt_cache_key": "{alias}-{metadata.tenant}"}]}
    )

    prompt_cache_key: str | None = Field(
        default=None,
        min_length=1,
        title="Cache key",
        description=(
            "Keeps requests with one prefix together. Takes `{metadata.x}`, `{alias}`, `{model}`, and "
            "`{prefix_hash}`, which is the same for requests with the same tools and system prompt."
        ),
        examples=["{alias}-{metadata.tenant}", "{prefix_hash}"],
    )
    prompt_cache_retention: Literal["in_memory", "24h"] | None = Field(
        default=None,
        title="Retention",
        description="How long OpenAI keeps the prefix, before GPT-5.6.",
        json_schema_extra=_explained(RETENTIONS),
    )
    prompt_cache_options: PromptCacheOptions | None = Field(
        default=None,
        title="Options",
        description="Options of the OpenAI prompt cache, and of Kimi's from K3 on.",
        examples=[{"mode": "explicit"}],
    )
    session_id: str | None = Field(
        default=None,
        min_length=1,
        title="Session",
        description="Keeps a session with one provider on OpenRouter. Takes what `prompt_cache_key` takes.",
        examples=["{metadata.session_id}"],
    )
    providerOptions: ProviderOptions | None = Field(  # noqa: N815, Vercel's spelling
        default=None,
        title="Gateway's options",
        description="Has Vercel's AI Gateway set the marker that litellm would take out on the way.",
        examples=[{"gateway": {"caching": "auto"}}],
    )
    cache_salt: str | None = Field(
        default=None,
        min_length=1,
        title="Salt",
        description="Keeps the cache of vLLM apart by what it says. Takes what `prompt_cache_key` takes.",
        examples=["{metadata.tenant}"],
    )
    headers: Annotated[dict[str, _HeaderText], Field(min_length=1)] | None = Field(
        default=None,
        title="Headers",
        description=(
            "Headers that the provider keeps requests together by. Each takes what `prompt_cache_key` takes."
        ),
        examples=[{"x-grok-conv-id": "{metadata.session_id}"}],
    )


class SplitText(_Part):
    """Split a text block in two, so that its stable part can be marked.

    The only action that touches content: it must hold from a conversation's first request on.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"at": "## Today"}]})

    at: str = Field(
        min_length=1,
        title="Boundary",
        description="The literal text that begins the second block.",
        examples=["## Today"],
    )


ActionName: TypeAlias = Literal["add_cache_control", "remove_cache_control", "set", "split_text"]


class Action(_Filled):
    """What the rule does: exactly one of these."""

    model_config = ConfigDict(
        json_schema_extra={
            # One action forbids a second. `maxProperties` here would say the same, but editors that count
            # the line being written offer nothing then.
            "dependentSchemas": {name: {"maxProperties": 1} for name in get_args(ActionName)},
            "examples": [{"add_cache_control": {"ttl": "1h"}}, {"add_cache_control": {}}],
        }
    )

    add_cache_control: AddCacheControl | None = Field(
        default=None,
        title="Add markers",
        description="Mark the targets as ends of cacheable prefixes.",
        examples=[{"ttl": "1h"}, {}],
    )
    remove_cache_control: RemoveCacheControl | None = Field(
        default=None,
        title="Remove markers",
        description="Remove markers at the targets, or everywhere when the rule has none.",
        examples=[{}],
    )
    set: SetParameters | None = Field(
        default=None,
        title="Set parameters",
        description="Set cache parameters of the request, on routes that take them.",
        examples=[{"prompt_cache_key": "{alias}-{metadata.tenant}"}],
    )
    split_text: SplitText | None = Field(
        default=None,
        title="Split a text",
        description="Split a text block in two at a literal boundary, so that the stable part can be marked.",
        examples=[{"at": "## Today"}],
    )

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        """`add_cache_control:` with nothing after it means its defaults."""
        if not isinstance(value, dict):
            return value
        return {k: {} if v is None and k in MAY_BE_BARE else v for k, v in value.items()}

    @model_validator(mode="after")
    def _exactly_one(self) -> Action:
        if sum(value is not None for _, value in self) != 1:
            raise ValueError(f"an action has exactly one of {', '.join(get_args(ActionName))}")
        return self

    @property
    def name(self) -> ActionName:
        """The one key that is present."""
        return next(name for name in get_args(ActionName) if getattr(self, name) is not None)


class Rule(_Part):
    """When a request matches, do one thing at some places."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "claude-shared-prefix",
                    "match": {"model": "*claude*"},
                    "targets": ["tools", "system"],
                    "action": {"add_cache_control": {"ttl": "1h"}},
                }
            ]
        }
    )

    name: str = Field(
        min_length=1,
        title="Name",
        description="What reports call the rule; unique in the policy.",
        examples=["claude-shared-prefix"],
    )
    description: str | None = Field(default=None, title="Description", description="Why the rule exists.")
    match: Match | None = Field(
        default=None,
        title="Match",
        description="Which requests the rule is for; all of them when left out.",
        examples=[{"model": "*claude*"}],
    )
    except_: Match | None = Field(
        default=None,
        alias="except",
        title="Except",
        description="Which of the matching requests it leaves alone.",
        examples=[{"metadata": {"kind": "one-shot"}}],
    )
    targets: tuple[Target, ...] = Field(
        default=(),
        title="Targets",
        description="Where the action applies, most important first; all located on the original request.",
        examples=[["tools", "system"], ["messages.previous_turn", "messages.last"]],
    )
    action: Action = Field(
        title="Action",
        description="What the rule does: exactly one of its keys.",
        examples=[{"add_cache_control": {}}],
    )
    stop: bool = Field(
        default=False, title="Stop", description="Whether no later rule is looked at once this one matched."
    )

    @model_validator(mode="after")
    def _targets_suit_the_action(self) -> Rule:
        if self.action.name in NEED_TARGETS and not self.targets:
            raise ValueError(f"`{self.action.name}` needs at least one target")
        if self.action.name in TAKE_NO_TARGETS and self.targets:
            raise ValueError(f"`{self.action.name}` is about the whole request and takes no targets")
        return self


class Policy(_Part):
    """Rules that place prompt-cache breakpoints in LLM requests."""

    version: Literal[1] = Field(title="Version", description="The version of the policy language.")
    name: str = Field(
        min_length=1, title="Name", description="What reports call the policy.", examples=["team-agents"]
    )
    enabled: bool = Field(
        default=True, title="Enabled", description="When false, every request passes untouched."
    )
    mode: Literal["enforce", "observe"] = Field(
        default="enforce",
        title="Mode",
        description="`observe` plans, logs and counts, and sends every request untouched.",
        json_schema_extra=_explained(MODES),
    )
    client_markers: Literal["keep", "repair", "stand_down", "replace"] = Field(
        default="keep",
        title="Client's markers",
        description=(
            "What to do when the request already has markers: `keep` them and add to them, `repair` those"
            " that would be refused or lost besides, `stand_down` and change nothing, or `replace` them."
        ),
        json_schema_extra=_explained(CLIENT_MARKERS),
    )
    injection: Literal["stand_down", "replace"] = Field(
        default="stand_down",
        title="Injection",
        description="What to do with litellm's `cache_control_injection_points` that a request carries.",
        json_schema_extra=_explained(INJECTIONS),
    )
    rules: tuple[Rule, ...] = Field(
        title="Rules",
        description="All matching rules apply, in order; the first to claim a place keeps it.",
    )
