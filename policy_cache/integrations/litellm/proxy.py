"""The handler that a litellm proxy's `config.yaml` names, set up from its settings and the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from policy_cache.diagnostics import Diagnostic
from policy_cache.errors import PolicyError
from policy_cache.integrations.collapse import CollapseAlarm
from policy_cache.integrations.litellm.handler import PolicyCacheHandler
from policy_cache.integrations.litellm.options import BLOCK, read_options, settings
from policy_cache.integrations.metrics import Metrics, OpenTelemetry, Prometheus
from policy_cache.live.engine import Engine
from policy_cache.trace.recorder import TraceRecorder

if TYPE_CHECKING:
    from policy_cache.integrations.litellm.options import Options
    from policy_cache.integrations.metrics import Sink
    from policy_cache.usage.accounting import Told

_SINKS: dict[str, type[Prometheus | OpenTelemetry]] = {
    "prometheus": Prometheus,
    "opentelemetry": OpenTelemetry,
}


def proxy_handler() -> PolicyCacheHandler:
    """The handler for this process; see `options.read_options` for what it is set up from.

    Raises:
        PolicyError: An option, the policy or the catalog is not valid; the proxy then does not start.
    """
    options = read_options(settings(), os.environ)
    return PolicyCacheHandler(Engine.from_config(options.caching._asdict()), **_told(options))


def _told(options: Options) -> Told:
    told: Told = {}
    if options.record is not None:
        path, text, metadata = options.record
        told["recorder"] = TraceRecorder(path, text=text, metadata=metadata)
    if options.metrics is not None:
        told["metrics"] = Metrics(_sink(options.metrics))
    if options.alarm:
        told["alarm"] = CollapseAlarm()
    return told


def _sink(name: str) -> Sink:
    try:
        return _SINKS[name]()
    except ModuleNotFoundError as error:
        said = f"`metrics: {name}` needs {error.name}, which is not installed"
        fix = "pip install 'policy-cache[metrics]'"
        raise PolicyError([Diagnostic("PC129", "error", said, help=fix, file=BLOCK)]) from None
