"""`policy-cache studio`."""

from __future__ import annotations

import threading
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache.cli.inputs import give_up, read_request
from policy_cache.cli.output import refuse
from policy_cache.errors import PolicyError
from policy_cache.policy.diagnostics import visible
from policy_cache.policy.packaged import packaged
from policy_cache.policy.text import check_size, decode, read_bytes

if TYPE_CHECKING:
    from policy_cache.studio.app import Studio

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("studio")
@click.option(
    "--policy", type=_FILE, help="Open this policy, and save there; the default policy if left out."
)
@click.option("--request", type=_FILE, help="Open this request, a JSON file.")
@click.option("--trace", type=_FILE, help="Offer the first requests of a recorded trace.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Save in it, by any name."
)
@click.option(
    "--port", default=8403, show_default=True, type=click.IntRange(0, 65_535), help="0 takes any free port."
)
@click.option("--no-open", is_flag=True, help="Leave it to you to open the page.")
def command(
    *,
    policy: Path | None,
    request: Path | None,
    trace: Path | None,
    folder: Path | None,
    port: int,
    no_open: bool,
) -> None:
    """Serve a page on 127.0.0.1 that shows what a policy does to a request, as you write it.

    Nothing leaves this machine, and nothing is written unless you save. Needs the extra `emulator`.
    """
    try:
        from policy_cache.emulator.server import run  # noqa: PLC0415, slow to import, and optional

        studio = _studio(policy, request, trace, folder)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn"}:
            raise
        give_up("studio needs starlette and uvicorn: pip install 'policy-cache[emulator]'")

    def announce(address: str) -> None:
        click.echo(address)
        if not no_open:
            # A browser of a terminal would keep the server waiting.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    try:
        run(announce=announce, port=port, app=studio.app())
    finally:
        studio.close()


def _studio(policy: Path | None, request: Path | None, trace: Path | None, folder: Path | None) -> Studio:
    from policy_cache.simulate.compare import TraceOptions  # noqa: PLC0415
    from policy_cache.studio.app import Opened, Studio  # noqa: PLC0415
    from policy_cache.studio.offers import Offers  # noqa: PLC0415
    from policy_cache.studio.saving import Places, digest  # noqa: PLC0415

    source = policy or packaged("policies", "default.yaml")
    try:
        content = read_bytes(source)
        check_size(content, str(source))
        text = decode(content, str(source))
    except PolicyError as error:
        refuse(error)
    given = None
    if request is not None:
        read_request(request)
        given = (request.name, request.read_text(encoding="utf-8-sig"))
    offers = Offers(given, TraceOptions((str(trace),)) if trace else None)
    places = Places(policy and policy.resolve(), folder and folder.resolve())
    return Studio(Opened(visible(source.name), text, digest(content) if policy else None), offers, places)
