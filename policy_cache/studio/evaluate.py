"""What there is to say about a policy and a request, as JSON data for the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.engine.diff import diff, place_of
from policy_cache.errors import PolicyError, RequestError, RequestFileError
from policy_cache.live.engine import Engine
from policy_cache.policy.check.examine import examine_content, reviewed
from policy_cache.policy.check.reach.routes import Routes
from policy_cache.policy.load import loads
from policy_cache.providers.catalog import packaged_catalog
from policy_cache.report.diagnostics.render import as_json
from policy_cache.report.plan.explain import explain
from policy_cache.report.plan.prefix import PrefixEnd, draw
from policy_cache.request.file import loads_request
from policy_cache.request.location import place
from policy_cache.studio.conversation import saving
from policy_cache.text.words import word

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from policy_cache.diagnostics import Diagnostic
    from policy_cache.engine.plan import Plan
    from policy_cache.providers.catalog import Catalog
    from policy_cache.report.plan.prefix import Part
    from policy_cache.text.styled import Span


def evaluate(
    policy: str, request: str, pause: float, name: str, *, catalog: Catalog | None = None
) -> dict[str, object]:
    """Check a policy, and show what it does to a request.

    Args:
        policy: The policy's text.
        request: The request's text.
        pause: Seconds from one turn of the conversation to the next.
        name: What the policy's file is called.
        catalog: What the providers take; the packaged catalog if left out.

    Returns:
        `diagnostics`, as `validate --output-format json` has them; `refused`, why the request cannot be
        planned; `shown`, the rest, where the policy is valid and the request can be planned.
    """
    diagnostics = _diagnosed(policy, name, Routes((catalog or packaged_catalog()).model_dump()))
    answer: dict[str, object] = {**as_json(diagnostics), "refused": None, "shown": None}
    try:
        given = loads_request(request.encode(), "request")
        if all(diagnostic.severity == "warning" for diagnostic in diagnostics):
            answer["shown"] = _shown(Engine(loads(policy, name), catalog), given, pause, name)
    except PolicyError as error:  # what only the model found
        answer |= as_json(error.diagnostics)
    except (RequestFileError, RequestError) as error:
        answer["refused"] = str(error)
    except RecursionError:
        answer["refused"] = "the request is nested too deeply"
    except UnicodeEncodeError:
        answer["refused"] = "request: half of a surrogate pair, which has no UTF-8"
    return answer


def _diagnosed(policy: str, name: str, routes: Routes) -> Sequence[Diagnostic]:
    try:
        return reviewed(examine_content(policy, name), routes)
    except PolicyError as error:
        return error.diagnostics


def _shown(engine: Engine, request: dict[str, object], pause: float, name: str) -> dict[str, object]:
    plan = engine.plan(request)
    drawing = draw(plan)
    return {
        "changed": plan.changed,
        "diff": _styled(diff(plan)),
        "explanation": _styled(explain(engine.rules, engine.facts(request), plan)),
        "prefix": {
            "tokens": drawing.tokens,
            "limit": plan.route.breakpoints,
            "pieces": [_piece(plan, piece) for piece in drawing.pieces],
        },
        "saving": saving(engine, request, pause, name),
    }


def _styled(spans: Iterable[Span]) -> list[tuple[str, str]]:
    return [(span.text, span.style) for span in spans]


def _piece(plan: Plan, piece: Part | PrefixEnd) -> dict[str, object]:
    if not isinstance(piece, PrefixEnd):
        return {"kind": "part", "name": piece.name, "tokens": piece.tokens}
    point = piece.breakpoint
    source = point.source
    by = "the client" if source is None else " / ".join(map(word, filter(None, source[:2])))
    return {
        "kind": "breakpoint",
        "at": place(point.at),
        "ttl": point.ttl,
        "by": by,
        "line": None if source is None else place_of(plan, source),
        "slot": point.slot,
        "tokens": piece.tokens,
    }
