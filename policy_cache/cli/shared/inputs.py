"""What most commands take: a request, a policy, and what the router would say beside them."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.files import standard_input
from policy_cache.cli.shared.output import give_up, refuse
from policy_cache.cli.shared.positional import one_of, told
from policy_cache.errors import PolicyError, RequestError, RequestFileError, reason_of
from policy_cache.integrations import installed_litellm
from policy_cache.live.engine import Engine
from policy_cache.packaged import packaged
from policy_cache.policy.load import load
from policy_cache.request.file import loads_request
from policy_cache.request.prompt import Shape
from policy_cache.text.words import visible
from policy_cache.trace.place import is_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from policy_cache.engine.match import Context, Facts
    from policy_cache.engine.plan import Plan
    from policy_cache.text.styled import Span


@dataclass(frozen=True, slots=True)
class Inputs:
    """A request to plan, the engine to plan it with, and its context."""

    name: str
    engine: Engine
    request: dict[str, object]
    context: Context

    def plan(self) -> Plan:
        """The engine's plan; prints one line and exits with 2 on a request that has none."""
        try:
            return self.engine.plan(self.request, **self.context)
        except RequestError as error:
            give_up(f"{self.name}: {error}")

    def facts(self) -> Facts:
        """What conditions see of a request that has a plan."""
        return self.engine.facts(self.request, **self.context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The argument and options that commands on a request share, as they were given."""

    request_file: Path
    policy_file: str | None
    catalog_file: str | None
    provider: str | None
    alias: str | None
    metadata: tuple[str, ...]
    headers: tuple[str, ...]
    shape: Shape | None

    def read(self) -> Inputs:
        """Read everything; prints one line and exits with 2 on what cannot be read."""
        return Inputs(
            shown(self.request_file),
            read_engine(self.policy_file, self.catalog_file),
            read_request(self.request_file),
            {
                "provider": self.provider,
                "alias": self.alias,
                "metadata": _pairs(self.metadata, "--metadata"),
                "headers": _pairs(self.headers, "--header"),
                "shape": self.shape,
            },
        )


def request_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the shared argument and options; it is called with a `Given` and its own."""

    @wraps(command)
    def run(files: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401, what click parsed
        policies, requests = told(files)
        options["policy_file"] = one_of("--policy", options["policy_file"], policies)
        options["request_file"] = Path(_request(requests))
        shared = {field.name: options.pop(field.name) for field in fields(Given)}
        command(Given(**shared), **options)

    decorated: Callable[..., None] = run
    for decorate in reversed(
        (
            click.argument("files", metavar="REQUEST", nargs=-1, type=click.Path(allow_dash=True)),
            click.option(
                "--policy", "policy_file", metavar="FILE", help="Policy file; the default policy if left out."
            ),
            catalog_option,
            click.option("--provider", help="litellm's provider name, in place of what the request says."),
            click.option("--alias", help="The router's own name for the model."),
            click.option(
                "--metadata",
                multiple=True,
                metavar="NAME=VALUE",
                help="Metadata, in place of what the request carries.",
            ),
            click.option(
                "--header",
                "headers",
                multiple=True,
                metavar="NAME=VALUE",
                help="A header, in place of those that the request carries.",
            ),
            click.option(
                "--shape", type=click.Choice(get_args(Shape)), help="Told from the request if left out."
            ),
        )
    ):
        decorated = decorate(decorated)
    return decorated


def _request(files: Sequence[str]) -> str:
    """The one file that is a request."""
    if not files:
        raise click.MissingParameter(param_hint="'REQUEST'", param_type="argument")
    if len(files) > 1:
        names = " and ".join(map(visible, files[:2]))
        raise click.UsageError(
            f"one request is taken, and two are given: {names}; write --policy before a policy"
        )
    return files[0]


def read_engine(policy_file: str | None, catalog_file: str | None) -> Engine:
    """The engine of a policy file, or of the default policy."""
    catalog = read_catalog(catalog_file)
    try:
        return Engine(
            load(packaged("policies", "default.yaml") if policy_file is None else policy_file), catalog
        )
    except PolicyError as error:
        refuse(error)


def read_request(file: Path) -> dict[str, object]:
    """A request from a JSON file, from a line of a trace, or from standard input for `-`."""
    return read_request_file(file)[0]


def read_request_file(file: Path) -> tuple[dict[str, object], bytes]:
    """A request, with the content of its file, or what that would be."""
    name = shown(file)
    try:
        if is_place(str(file)):
            request = _recorded(str(file))
            return request, json.dumps(request, indent=2, ensure_ascii=False).encode("utf-8", "replace")
        content = standard_input() if str(file) == "-" else file.read_bytes()
        return loads_request(content, name), content
    except RequestFileError as error:
        trace = file.suffix == ".jsonl"
        give_up(f"{error}; is it a trace? Name one of its requests: {name}:1" if trace else str(error))
    except OSError as error:
        give_up(f"{name}: {reason_of(error)}")


def _recorded(place: str) -> dict[str, object]:
    from policy_cache.trace.reader import record_at  # noqa: PLC0415, slow to import
    from policy_cache.trace.record import TraceError  # noqa: PLC0415

    try:
        return record_at(place).request
    except TraceError as error:
        give_up(visible(str(error)))


def shown(file: Path) -> str:
    """What a file is called; `-` is standard input."""
    return "<stdin>" if str(file) == "-" else visible(str(file))


def _pairs(given: Iterable[str], option: str) -> dict[str, object] | None:
    pairs: dict[str, object] = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"expected NAME=VALUE, found {pair!r}", param_hint=option)
        pairs[name] = value
    return pairs or None


class OnWire(NamedTuple):
    """`--wire`: for people, as JSON data, and whether litellm loses a marker that was counted on."""

    shown: Iterable[Span]
    data: dict[str, object]
    loses: bool


def wire_of(plan: Plan) -> OnWire:
    """What litellm makes of a plan; exits with 2 where it is not installed.

    Raises:
        WireError: litellm builds no body for the request.
    """
    if installed_litellm() is None:
        give_up("--wire needs litellm: pip install 'policy-cache[litellm]'")
    from policy_cache.integrations.litellm.report import wire_json, wire_report  # noqa: PLC0415, optional
    from policy_cache.integrations.litellm.wire import check  # noqa: PLC0415, optional

    checked = check(plan)
    return OnWire(wire_report(checked), wire_json(checked), bool(checked.lost))
