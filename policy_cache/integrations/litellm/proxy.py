"""The handler that a litellm proxy's `config.yaml` names, and what an operator says of it.

That is a block of the proxy's settings, and the environment.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple, cast, get_args

import litellm

from policy_cache.diagnostics import Diagnostic
from policy_cache.engine.engine import ON
from policy_cache.errors import PolicyError
from policy_cache.integrations.collapse import CollapseAlarm
from policy_cache.integrations.litellm.handler import PolicyCacheHandler
from policy_cache.integrations.litellm.keep_warm import KeepWarm
from policy_cache.integrations.litellm.routing import PreferWarm
from policy_cache.integrations.metrics import Metrics, OpenTelemetry, Prometheus
from policy_cache.lifetimes import FLOOR
from policy_cache.live.engine import Engine
from policy_cache.live.options import Caching, OptionBlock
from policy_cache.trace.recorder import Text, TraceRecorder
from policy_cache.warmth import Warmth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from policy_cache.integrations.metrics import Sink
    from policy_cache.usage.accounting import Told
    from policy_cache.warmth import Beliefs

BLOCK = "litellm_settings.policy_cache"
_OWN = ("record", "metrics", "alarm", "warmth", "keep_warm")
_WARMTH = ("redis", "max_premium")
_RECORD = ("path", "text", "metadata")
_OFF = frozenset({"0", "false", "no", "off"})
_VARIABLES = tuple(
    f"POLICY_CACHE_{name}" for name in ("POLICY", "CATALOG", "RECORD", "RECORD_TEXT", "METRICS", "ALARM")
)

_SINKS: dict[str, type[Prometheus | OpenTelemetry]] = {
    "prometheus": Prometheus,
    "opentelemetry": OpenTelemetry,
}


def proxy_handler() -> PolicyCacheHandler:
    """The handler for this process; see `read_options` for what it is set up from.

    Raises:
        PolicyError: An option, the policy or the catalog is not valid; the proxy then does not start.
    """
    options = read_options(settings(), os.environ)
    engine = Engine.from_options(options.caching)
    told = _told(options)
    if options.warmth is not None:
        warmth = Warmth(engine, table=_table(options.warmth.redis))
        told["warmth"] = warmth
        litellm.callbacks.append(PreferWarm(warmth, max_premium=options.warmth.max_premium))
    return PolicyCacheHandler(engine, **told)


def _table(url: str | None) -> Beliefs | None:
    """Where what is warm is kept: in a Redis, or, where None is named, in this process."""
    if url is None:
        return None
    try:
        from policy_cache.warmth.shared import RedisTable  # noqa: PLC0415, an extra

        return RedisTable(url)
    except ModuleNotFoundError:
        message = "`warmth.redis` needs redis, which is not installed"
        fix = "pip install 'policy-cache[redis]'"
    except ValueError:
        message = "`warmth.redis` is not the address of a Redis"
        fix = "write it as `redis://localhost:6379/0`"
    raise PolicyError([Diagnostic("PC129", "error", message, help=fix, file=BLOCK)])


def _told(options: Options) -> Told:
    told: Told = {}
    if options.record is not None:
        path, text, metadata = options.record
        told["recorder"] = TraceRecorder(path, text=text, metadata=metadata)
    metrics = None if options.metrics is None else Metrics(_sink(options.metrics))
    if metrics is not None:
        told["metrics"] = metrics
    if options.alarm:
        told["alarm"] = CollapseAlarm()
    if options.keep_warm is not None:
        budget, floor = options.keep_warm
        told["keep_warm"] = KeepWarm(budget=budget, floor=floor, metrics=metrics)
    return told


def _sink(name: str) -> Sink:
    try:
        return _SINKS[name]()
    except ModuleNotFoundError as error:
        message = f"`metrics: {name}` needs {error.name}, which is not installed"
        fix = "pip install 'policy-cache[metrics]'"
        raise PolicyError([Diagnostic("PC129", "error", message, help=fix, file=BLOCK)]) from None


class Record(NamedTuple):
    """What is recorded.

    Attributes:
        path: The file.
        text: How texts are written.
        metadata: The names of metadata to write.
    """

    path: str
    text: Text = "plain"
    metadata: tuple[str, ...] = ()


class Routing(NamedTuple):
    """How conversations are kept where they are warm.

    Attributes:
        redis: Where processes share what is warm; None where each knows its own.
        max_premium: What a warm deployment may cost above the cheapest one: 0.1 for a tenth.
    """

    redis: str | None = None
    max_premium: float = 0.1


class Warming(NamedTuple):
    """How prefixes are kept warm.

    Attributes:
        budget: USD that pings may cost in an hour, in each process.
        floor: USD that a ping must be expected to gain.
    """

    budget: float
    floor: float = FLOOR


class Options(NamedTuple):
    """What the handler of a proxy does.

    Attributes:
        caching: The policy, and where it applies.
        record: What is recorded; None for nothing.
        metrics: Where figures go: `prometheus` or `opentelemetry`; None for nowhere.
        alarm: Whether a session that stops reading its cache is warned of.
        warmth: How conversations are kept where they are warm; None where they are not.
        keep_warm: How prefixes are kept warm; None where they are not.
    """

    caching: Caching
    record: Record | None
    metrics: str | None
    alarm: bool
    warmth: Routing | None = None
    keep_warm: Warming | None = None


def read_options(block: object, environment: Mapping[str, str]) -> Options:
    """Read the options of a proxy; the environment has the last word.

    Args:
        block: `litellm_settings.policy_cache`: what a `caching:` block takes, with `watch` true if left out,
            and `record: {path:, text: plain | hashed, metadata: []}`, `metrics: prometheus | opentelemetry`,
            `alarm: true | false`, `warmth: true | {redis:, max_premium:}` and `keep_warm: {budget:, floor:}`.
            None where there is none.
        environment: `POLICY_CACHE_POLICY`, `_CATALOG`, `_RECORD` (a path), `_RECORD_TEXT`, `_METRICS` and
            `_ALARM`.

    Raises:
        PolicyError: An option is unknown or of the wrong type.
    """
    given = OptionBlock(BLOCK, {} if block is None else block, (*Caching._fields, *_OWN))
    over = OptionBlock("environment", _of_environment(environment), _VARIABLES)
    caching = Caching.of(given, watch=True)
    return Options(
        caching._replace(
            policy=over.file("POLICY_CACHE_POLICY") or caching.policy,
            catalog=over.file("POLICY_CACHE_CATALOG") or caching.catalog,
        ),
        _record(given.block("record", _RECORD), over),
        over.choice("POLICY_CACHE_METRICS", tuple(_SINKS)) or given.choice("metrics", tuple(_SINKS)),
        over.flag("POLICY_CACHE_ALARM", default=given.flag("alarm", default=False)),
        _warmth(given.block_or_flag("warmth", _WARMTH)),
        _keep_warm(given.block_or_flag("keep_warm", Warming._fields)),
    )


def settings() -> object:
    """The block of the proxy that runs in this process; None without one.

    litellm sets its settings one after the other, so that a callback may be made before its own: the proxy's
    configuration is there as a whole.
    """
    server = sys.modules.get("litellm.proxy.proxy_server")
    if server is None:
        return None
    litellm_settings = server.proxy_config.get_config_state().get("litellm_settings") or {}
    return cast("object", litellm_settings.get("policy_cache"))


def _record(given: OptionBlock | None, over: OptionBlock) -> Record | None:
    path = over.file("POLICY_CACHE_RECORD")
    text = over.choice("POLICY_CACHE_RECORD_TEXT", get_args(Text))
    metadata: tuple[str, ...] = ()
    if given is not None:
        path = path or given.file("path") or given.missing("path")
        text = text or given.choice("text", get_args(Text))
        metadata = given.names("metadata")
    return None if path is None else Record(path, cast("Text", text or "plain"), metadata)


def _warmth(given: OptionBlock | None) -> Routing | None:
    if given is None:
        return None
    return Routing(given.text("redis"), given.number("max_premium", default=Routing().max_premium))


def _keep_warm(given: OptionBlock | None) -> Warming | None:
    if given is None:
        return None
    return Warming(given.positive("budget"), given.number("floor", default=FLOOR))


def _of_environment(environment: Mapping[str, str]) -> dict[str, object]:
    """The variables that say something; one that is empty says nothing."""
    given: dict[str, object] = {name: environment[name] for name in _VARIABLES if environment.get(name)}
    alarm = str(given.get("POLICY_CACHE_ALARM")).lower()
    return given | {"POLICY_CACHE_ALARM": alarm in ON} if alarm in ON | _OFF else given
