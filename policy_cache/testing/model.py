"""The language of test files, version 1, and the JSON Schema that is made of it."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from policy_cache.engine.reasons import Reason  # noqa: TC001, pydantic looks it up
from policy_cache.policy.language.schema import Generate
from policy_cache.request.prompt import Shape  # noqa: TC001, pydantic looks it up
from policy_cache.testing.checks import CLIENT

Anything: TypeAlias = Annotated[dict[str, Any], WithJsonSchema({"type": "object"})]
"""A mapping whose names are the author's."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectedBreakpoint(_Part):
    """A marker in the request that is sent."""

    model_config = ConfigDict(
        title="Breakpoint", json_schema_extra={"examples": [{"at": "$['system'][0]", "ttl": "1h"}]}
    )

    at: str = Field(
        min_length=1,
        title="Place",
        description="The place in the request as it is sent, where a marked text is a list of one block.",
        examples=["$['system'][0]", "$['tools'][2]"],
    )
    ttl: str = Field(
        default="5m",
        min_length=1,
        title="Lifetime",
        description="The marker's lifetime; a bare marker counts as five minutes.",
        examples=["1h"],
    )
    rule: str | None = Field(
        default=None,
        min_length=1,
        title="Rule",
        description=f"The rule that placed it, or `{CLIENT}`; not looked at when left out.",
        examples=["agent-prefix"],
    )


class CaseContext(_Part):
    """What the router knows beside the request; the arguments of `Engine.rewrite`."""

    model_config = ConfigDict(title="Context", json_schema_extra={"examples": [{"alias": "claude-sonnet"}]})

    provider: str | None = Field(
        default=None,
        min_length=1,
        title="Provider",
        description="litellm's provider name, in place of what the request says.",
        examples=["bedrock"],
    )
    alias: str | None = Field(
        default=None,
        min_length=1,
        title="Alias",
        description="The router's own name for the model.",
        examples=["claude-sonnet"],
    )
    metadata: Anything | None = Field(
        default=None,
        title="Metadata",
        description="Metadata, in place of what the request carries.",
        examples=[{"tenant": "acme"}],
    )
    headers: Anything | None = Field(
        default=None,
        title="Headers",
        description="Headers, in place of those that the request carries.",
        examples=[{"x-agent": "coder"}],
    )
    shape: Shape | None = Field(
        default=None, title="Request shape", description="Told from the request if left out."
    )


class Expect(_Part):
    """What must come of the request; what is left out is not looked at."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"unchanged": True}]})

    breakpoints: tuple[ExpectedBreakpoint, ...] | None = Field(
        default=None,
        title="Breakpoints",
        description="Every marker of the request that is sent, in prefix order: tools, system, messages.",
        examples=[[{"at": "$['system'][0]", "ttl": "1h", "rule": "agent-prefix"}]],
    )
    unchanged: bool | None = Field(
        default=None,
        title="Unchanged",
        description="Whether the very request that came is sent.",
        examples=[True],
    )
    parameters: Anything | None = Field(
        default=None,
        title="Parameters",
        description="Every parameter that the policy sets on the request, with its value.",
        examples=[{"prompt_cache_key": "acme"}],
    )
    reasons: dict[str, tuple[Reason, ...]] | None = Field(
        default=None,
        title="Reasons",
        description="How everything that a rule wanted ended, in order; nothing for one that did not match.",
        examples=[{"agent-prefix": ["applied", "below_minimum"]}],
    )
    wire: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(
        default=None,
        title="Wire",
        description="Every marker in the HTTP body, in its order; needs the extra `litellm`.",
        examples=[["$['system'][1]"]],
    )


class Case(_Part):
    """One request, and what must come of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "leaves gemini alone",
                    "request": {"file": "requests/gemini.json"},
                    "expect": {"unchanged": True},
                }
            ]
        }
    )

    name: str = Field(
        min_length=1,
        title="Name",
        description="What the test shows; unique in the file.",
        examples=["marks tools and system"],
    )
    description: str | None = Field(default=None, title="Description", description="Why the test exists.")
    request: Anything = Field(
        title="Request",
        description=(
            "The request itself, or `{file: request.json}`. In it, `{repeat: 'word ', times: 4000}` stands"
            " for a long text wherever `content`, `text`, `system` or `description` takes one."
        ),
        examples=[{"file": "requests/agent.json"}],
    )
    context: CaseContext = Field(
        default=CaseContext(), title="Context", description="What the router knows beside the request."
    )
    expect: Expect = Field(
        default=Expect(),
        title="Expectation",
        description="What must come of the request; `policy-cache test --update` writes it.",
    )


class Tests(_Part):
    """Tests of one policy."""

    version: Literal[1] = Field(title="Version", description="The version of the test language.")
    policy: str | None = Field(
        default=None,
        min_length=1,
        title="Policy",
        description="The policy, relative to this file; `x.yaml` for `x.test.yaml` when left out.",
        examples=["default.yaml"],
    )
    catalog: str | None = Field(
        default=None,
        min_length=1,
        title="Catalog",
        description="A file that adds to the catalog of providers, or changes it; relative to this file.",
        examples=["catalog.yaml"],
    )
    tests: tuple[Case, ...] = Field(
        title="Tests", description="The tests; each stands for itself, and order means nothing."
    )


def tests_schema() -> dict[str, Any]:
    """Generate the JSON Schema (draft 2020-12) of a test file."""
    schema = Tests.model_json_schema(schema_generator=Generate)
    return {"$schema": Generate.schema_dialect, **schema, "title": "policy-cache tests"}


def tests_schema_text() -> str:
    """The schema as it is shipped in `schema/test.schema.json`."""
    return json.dumps(tests_schema(), indent=2, ensure_ascii=False) + "\n"
