"""Files that are no policies, though they are YAML of ours.

PC132: the file is a catalog of providers, not a policy.

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

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic

if TYPE_CHECKING:
    from policy_cache.diagnostics import Path
    from policy_cache.policy.text.source import Source

_CATALOG = frozenset({"sources", "providers", "dialects", "minimums", "blocks", "routes"})
_POLICY = frozenset({"rules", "name", "mode", "enabled", "client_markers"})


def other_kind(source: Source) -> Diagnostic | None:
    """What a file is that is no policy, and which command takes it; None where it may be one."""
    data = source.data
    if not isinstance(data, dict) or data.keys() & _POLICY:
        return None
    if "tests" in data:
        message, fix = "this is a test file, not a policy", f"`policy-cache test {source.name}` runs it"
        return _say(source, "PC133", message, ("tests",), fix)
    if found := [key for key in data if str(key).casefold() in _CATALOG]:
        message = "this is a catalog of providers, not a policy"
        fix = f"`policy-cache validate --catalog {source.name}` takes it"
        return _say(source, "PC132", message, (found[0],), fix)
    return None


def _say(source: Source, code: str, message: str, path: Path, help: str) -> Diagnostic:
    return Diagnostic(
        code, "error", message, span=source.key_span(path), path=path, help=help, file=source.name
    )
