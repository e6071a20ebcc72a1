"""The application: the page, its files, and its four questions."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from policy_cache.errors import PolicyCacheError, reason_of
from policy_cache.packaged import packaged
from policy_cache.studio.evaluate import evaluate
from policy_cache.studio.page import Guard, file, page
from policy_cache.studio.saving import ConflictError
from policy_cache.studio.worker import Worker, WorkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from policy_cache.providers.catalog import Catalog
    from policy_cache.studio.offers import Offers
    from policy_cache.studio.saving import Places

MOST_BYTES = 2 * 1024 * 1024
"""The largest question."""

SECONDS = 5.0
"""How long an evaluation may take."""

_LONGEST_PAUSE = 7 * 86_400


class _Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class _Pick(msgspec.Struct, forbid_unknown_fields=True):
    number: int


class _Evaluate(msgspec.Struct, forbid_unknown_fields=True):
    policy: str
    request: str
    pause: Annotated[float, msgspec.Meta(ge=0, le=_LONGEST_PAUSE)]


class _Save(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    name: str | None
    seen: str | None


_Q = TypeVar("_Q", bound=msgspec.Struct)


class Refused(Exception):  # noqa: N818, it is an answer
    """A question that is answered by a status and a sentence, and what more there is to say."""

    def __init__(self, status: int, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        self.more = more


@dataclass(frozen=True, slots=True)
class Opened:
    """The policy that the page opens with.

    Attributes:
        name: What its file is called.
        text: Its text.
        digest: What `saving.digest` says of its file; None where it is not to be saved there.
    """

    name: str
    text: str
    digest: str | None


class Studio:
    """One page with what it may read and write."""

    def __init__(
        self,
        opened: Opened,
        offers: Offers,
        places: Places,
        *,
        catalog: Catalog | None = None,
        seconds: float = SECONDS,
    ) -> None:
        """Begin without a process for evaluations; the first one starts it.

        Args:
            opened: The policy to open with.
            offers: The requests to choose from.
            places: Where the policy may be saved.
            catalog: What the providers take; the packaged catalog if left out.
            seconds: How long an evaluation may take.
        """
        self.token = secrets.token_urlsafe(32)
        self._opened = opened
        self._offers = offers
        self._places = places
        self._evaluate = Worker(partial(evaluate, catalog=catalog), seconds=seconds)

    def app(self) -> Starlette:
        """The application; whoever serves it calls `close` in the end."""
        questions = [
            self._question("start", _Nothing, self._start),
            self._question("request", _Pick, self._request),
            self._question("evaluate", _Evaluate, self._evaluated),
            self._question("save", _Save, self._save),
        ]
        return Starlette(
            routes=[Route("/", self._page), Route("/static/{name}", _file), *questions],
            middleware=[Middleware(Guard, token=self.token)],
            exception_handlers={404: _unknown, 405: _unknown},
        )

    def close(self) -> None:
        """End the process that evaluates."""
        self._evaluate.close()

    async def _page(self, _: Request) -> Response:
        return page(self.token)

    def _question(self, name: str, kind: type[_Q], answer: Callable[[_Q], dict[str, object]]) -> Route:
        async def ask(request: Request) -> Response:
            try:
                asked = _read(await _body(request), kind)
                return _json(await run_in_threadpool(answer, asked))
            except Refused as error:
                return _json({"error": str(error), **error.more}, error.status)
            except asyncio.CancelledError:  # the server ends
                return _json({"error": "the studio has ended"}, 503)
            except (PolicyCacheError, OSError) as error:
                message = reason_of(error) if isinstance(error, OSError) else str(error)
                return _json({"error": message}, 422)
            except Exception as error:  # noqa: BLE001, the last line of defence
                return _json({"error": f"internal error: {type(error).__name__}; please report it"}, 500)

        return Route(f"/api/{name}", ask, methods=["POST"])

    def _start(self, _: _Nothing) -> dict[str, object]:
        return {
            "name": self._opened.name,
            "policy": self._opened.text,
            "seen": self._opened.digest,
            "file": self._places.file is not None,
            "folder": None if self._places.folder is None else self._places.folder.name,
            "requests": self._offers.names,
            "schema": json.loads(packaged("schema", "policy.schema.json").read_text(encoding="utf-8")),
        }

    def _request(self, asked: _Pick) -> dict[str, object]:
        try:
            return {"text": self._offers.text(asked.number)}
        except LookupError:
            raise Refused(404, "there is no such request") from None

    def _evaluated(self, asked: _Evaluate) -> dict[str, object]:
        try:
            return self._evaluate(asked.policy, asked.request, asked.pause, self._opened.name)
        except WorkError as error:
            raise Refused(422, f"not evaluated: {error}") from None

    def _save(self, asked: _Save) -> dict[str, object]:
        try:
            return {"seen": self._places.save(asked.text, asked.name, asked.seen)}
        except ConflictError as error:
            raise Refused(409, str(error), seen=error.found) from None


async def _body(request: Request) -> bytes:
    """The body, given up as soon as it is too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refused(415, "expected application/json")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Refused(413, f"the policy and the request are larger than {MOST_BYTES >> 20} MB together")
    return bytes(body)


def _read(body: bytes, kind: type[_Q]) -> _Q:
    try:
        # msgspec's own decoder refuses half a surrogate pair, which is told where it stands.
        return msgspec.convert(json.loads(body), kind)
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"not what was expected: {error}") from None


async def _file(request: Request) -> Response:
    return file(request.path_params["name"]) or await _unknown(request, LookupError())


async def _unknown(_: Request, error: Exception) -> Response:
    return _json({"error": "there is nothing here"}, getattr(error, "status_code", 404))


def _json(value: object, status: int = 200) -> Response:
    # Escaped to ASCII: a request may hold half a surrogate pair, which has no UTF-8.
    return Response(json.dumps(value), status, media_type="application/json")
