"""What a litellm proxy sends on.

A proxy is a process of its own, with a litellm of its own release. PROXY_PYTHON names the interpreter that
has it, and this module is what runs there. Without it, the installed litellm stands for the proxy's.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from policy_cache.integrations.litellm import WireError, wire

if TYPE_CHECKING:
    from policy_cache.integrations.litellm.wire import Wire

PYTHON = os.environ.get("PROXY_PYTHON")
_BACKEND = "anthropic/claude-sonnet-4-5"


def release() -> str:
    """The release of litellm that stands for a proxy's."""
    return str(_ask(None)) if PYTHON else version("litellm")


def sent_on(body: dict[str, Any]) -> Wire:
    """What a proxy sends to its backend of a chat request's body."""
    answer = _ask(body) if PYTHON else _answer(body)
    if isinstance(answer, WireError):
        raise answer
    return answer


@cache
def _process(_parent: int) -> subprocess.Popen[bytes]:
    """The proxy of a process: a fork gets its own."""
    command = [str(PYTHON), "-m", "tests.wire.proxy"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _ask(question: dict[str, Any] | None) -> Any:
    process = _process(os.getpid())
    pickle.dump(question, process.stdin)
    process.stdin.flush()
    return pickle.load(process.stdout)


def _answer(question: dict[str, Any] | None) -> Wire | WireError | str:
    if question is None:
        return version("litellm")
    try:
        return wire({**question, "model": _BACKEND}, shape="chat")
    except WireError as error:
        return WireError(str(error.__context__ or error))


def main() -> None:
    out, sys.stdout = sys.stdout.buffer, sys.stderr  # litellm prints, too
    while True:
        try:
            question = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(_answer(question), out)
        out.flush()


if __name__ == "__main__":
    main()
