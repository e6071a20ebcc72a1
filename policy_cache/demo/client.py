"""litellm, imported only here and only when the demo runs."""

from __future__ import annotations

import logging
import os
import warnings
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from policy_cache.errors import PolicyCacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Send: TypeAlias = "Callable[[Mapping[str, Any], str], Any]"

_NEEDED = ("litellm", "mcp", "starlette", "uvicorn")
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")


class DemoError(PolicyCacheError):
    """The demo cannot run."""


def check_installed() -> None:
    """Look for what the demo needs, without importing it.

    Raises:
        DemoError: Some of it is not installed.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise DemoError(f"{missing[0]} is not installed: pip install 'policy-cache[litellm,emulator]'")


@contextmanager
def client(address: str) -> Iterator[Send]:
    """Yield a function that sends a request with `litellm.completion` and returns its response.

    Its second argument is the key. litellm stays silent meanwhile, and is as talkative as before
    afterwards.
    """
    # Otherwise the import fetches its price list from the network.
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_silent_loggers())
        import httpx  # noqa: PLC0415, comes with litellm
        import litellm  # noqa: PLC0415, takes seconds
        import openai  # noqa: PLC0415, comes with litellm
        from litellm.llms.custom_httpx.http_handler import HTTPHandler  # noqa: PLC0415, likewise

        stack.callback(setattr, litellm, "suppress_debug_info", litellm.suppress_debug_info)
        litellm.suppress_debug_info = True
        # A proxy from the environment could not reach this machine's loopback.
        http = stack.enter_context(httpx.Client(trust_env=False, timeout=30))
        handler = HTTPHandler(client=http)

        def send(request: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401, litellm is untyped here
            try:
                return litellm.completion(
                    **request, api_base=address, api_key=key, client=handler, num_retries=0
                )
            except openai.OpenAIError as error:  # the base of litellm's own
                raise DemoError(f"litellm could not send a request: {error}") from error

        yield send


@contextmanager
def _silent_loggers() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
