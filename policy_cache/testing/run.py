"""Running tests: each request is planned and rewritten as a router would."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from policy_cache.diagnostics import Diagnostic
from policy_cache.engine.plan import Plan
from policy_cache.errors import PolicyCacheError, PolicyError, RequestError, RequestFileError, reason_of
from policy_cache.integrations import installed_litellm
from policy_cache.live.engine import Engine
from policy_cache.policy.load import load
from policy_cache.policy.text.file import sibling
from policy_cache.providers.file import load_catalog
from policy_cache.request.file import loads_request
from policy_cache.request.location import Location
from policy_cache.review.review import Asked
from policy_cache.testing.checks import expanded
from policy_cache.testing.compare import differences
from policy_cache.testing.outcome import Finding, Outcome
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from policy_cache.engine.match import Context
    from policy_cache.providers.catalog import Catalog
    from policy_cache.testing.load import Suite
    from policy_cache.testing.model import Case

Wire: TypeAlias = Callable[[Plan], Sequence[Location]]
"""Where litellm puts the markers of a plan's request, in the HTTP body that it sends."""

NO_WIRE = "`wire` needs litellm: pip install 'policy-cache[litellm]'"


class Runner:
    """Runs tests, and compiles each policy once."""

    def __init__(self, find_wire: Callable[[], Wire | None], *, catalog: Catalog | None = None) -> None:
        """Begin without engines.

        Args:
            find_wire: Finds the wire when a test first asks for it; None where litellm is not installed.
            catalog: What the providers take, in place of the catalogs that test files name.
        """
        self._wire = functools.cache(find_wire)
        self._catalog = catalog
        self._engines: dict[tuple[Path, Path | None], Engine] = {}

    def engine(self, suite: Suite) -> Engine:
        """The engine of the policy that a file tests.

        Raises:
            PolicyError: The policy or the catalog is not valid.
        """
        key = (suite.policy, suite.catalog)
        if key not in self._engines:
            given = None if suite.catalog is None or self._catalog else load_catalog(suite.catalog)
            self._engines[key] = Engine(load(suite.policy), self._catalog or given)
        return self._engines[key]

    def run(self, suite: Suite, number: int) -> Outcome:
        """Run one test.

        Raises:
            PolicyError: The policy or the catalog is not valid.
        """
        engine = self.engine(suite)
        try:
            finding = self._find(engine, suite, number)
        except _UnusableError as error:
            return Outcome(suite, number, "error", (error.diagnostic,))
        rules = tuple(rule.name for rule in engine.policy.policy.rules)
        problems = tuple(differences(suite, number, finding))
        if problems:
            return Outcome(suite, number, "failed", problems, finding, rules=rules)
        if suite.cases[number].expect.wire is not None and finding.wire is None:
            return Outcome(suite, number, "skipped", (), finding, NO_WIRE, rules)
        return Outcome(suite, number, "passed", (), finding, rules=rules)

    def _find(self, engine: Engine, suite: Suite, number: int) -> Finding:
        case = suite.cases[number]
        request, context = _request(suite, number), _context(case)
        try:
            plan = engine.plan(request, **context)
        except RequestError as error:
            raise _unplanned(suite, number, error) from None
        places = None
        wire = None if case.expect.wire is None else self._wire()
        if wire is not None:
            try:
                places = wire(plan)
            except PolicyCacheError as error:
                raise _unusable(suite, number, "PC507", str(error)) from None
        reasons: dict[str, list[str]] = {rule: [] for rule in plan.matched}
        for placement in plan.placements:
            reasons.setdefault(placement.source.rule, []).append(placement.reason)
        return Finding(
            plan,
            [point for point in plan.breakpoints if point.party != "litellm"],
            engine.rewrite(request, **context) is request,
            {
                str(edit.location[-1]): edit.after
                for edit in plan.edits
                if edit.change == "set" and edit.after is not None
            }
            if plan.changed
            else {},
            reasons,
            places,
        )


class _UnusableError(Exception):
    """A test that cannot be run."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(str(diagnostic))
        self.diagnostic = diagnostic


def asked_of(suite: Suite) -> Iterator[Asked]:
    """The requests of a file's tests, without what is expected of them.

    Raises:
        PolicyError: One cannot be used.
    """
    for number, case in enumerate(suite.cases):
        try:
            request = _request(suite, number)
        except _UnusableError as error:
            raise PolicyError([error.diagnostic], lines=suite.source.lines) from None
        yield Asked(f"{suite.source.name}:{suite.line(number)}", request, _context(case))


def _context(case: Case) -> Context:
    given = case.context
    return {
        "provider": given.provider,
        "alias": given.alias,
        "metadata": given.metadata,
        "headers": given.headers,
        "shape": given.shape,
    }


def _request(suite: Suite, number: int) -> dict[str, object]:
    """A test's request: its file's, or the one that is written out."""
    given = suite.cases[number].request
    if given.keys() != {"file"}:
        request: dict[str, object] = expanded(given)
        return request
    name = given["file"]
    if not isinstance(name, str) or not name:
        raise _unusable(suite, number, "PC506", "`file` takes the path of a JSON file", "file")
    path = suite.beside(name)
    try:
        return loads_request(path.read_bytes(), visible(str(path)))
    except RequestFileError as error:
        raise _unusable(suite, number, "PC506", str(error), "file") from None
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else "no such file"
        message = f"{visible(str(path))}: {reason}"
        raise _unusable(suite, number, "PC506", message, "file", help=sibling(path)) from None


def _unplanned(suite: Suite, number: int, error: RequestError) -> _UnusableError:
    """A request that the engine refuses, at the place in the file that comes nearest to its location."""
    if suite.cases[number].request.keys() == {"file"}:
        return _unusable(suite, number, "PC506", str(error), "file")
    fix = "a request is `{file: request.json}`, or has `model` and `messages`"
    return _unusable(suite, number, "PC506", str(error), *error.location, help=fix)


def _unusable(
    suite: Suite, number: int, code: str, message: str, *place: str | int, help: str | None = None
) -> _UnusableError:
    source = suite.source
    path: tuple[str | int, ...] = ("tests", number, "request", *place)
    while path not in source.values:
        path = path[:-1]
    span = source.values[path] if place and path[-1] == place[-1] else source.key_span(path)
    return _UnusableError(
        Diagnostic(code, "error", message, span=span, path=path, help=help, file=source.name)
    )


def litellm_wire() -> Wire | None:
    """What tells the wire; None where litellm is not installed."""
    litellm = installed_litellm()
    if litellm is None:
        return None

    def places(plan: Plan) -> list[Location]:
        route = plan.route
        sent = litellm.wire(plan.request, provider=route.provider or None, shape=route.shape)
        return [marker.location for marker in sent.markers]

    return places
