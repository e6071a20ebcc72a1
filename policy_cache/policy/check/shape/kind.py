"""Files that are YAML of ours, and no policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.policy.check.finding import Finding
from policy_cache.policy.check.shape.schema import CATALOG, POLICY, schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from policy_cache.policy.text.source import Source


def other_kinds(source: Source) -> Iterator[Finding]:
    """PC132: the file is a catalog of providers, not a policy.

    `policy-cache validate --catalog FILE` takes it, beside the policies that are checked with it.

    Bad:
        version: 1
        routes:
          - {name: acme, providers: [groq], mechanism: none}
    Good:
        version: 1
        name: example
        rules: []

    PC133: the file holds the tests of a policy, not a policy.

    `policy-cache test FILE` runs it.

    Bad:
        version: 1
        policy: default.yaml
        tests: []
    Good:
        version: 1
        name: example
        rules: []
    """
    data = source.data
    if not isinstance(data, dict) or data.keys() & _own(POLICY):
        return
    if "tests" in data:
        help_ = f"`policy-cache test {source.name}` runs it"
        yield Finding("PC133", "this is a test file, not a policy", ("tests",), help_, key=True)
    elif key := next((key for key in data if key.casefold() in _own(CATALOG)), None):
        help_ = f"`policy-cache validate --catalog {source.name}` takes it"
        yield Finding("PC132", "this is a catalog of providers, not a policy", (key,), help_, key=True)


def _own(kind: str) -> frozenset[str]:
    """The fields by which a kind of file is known."""
    return frozenset(schema(kind)["properties"]) - {"version"}
