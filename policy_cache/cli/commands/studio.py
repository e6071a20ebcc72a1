"""`policy-cache studio`."""

from __future__ import annotations

import threading
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from policy_cache.cli.shared.catalog import catalog_option, read_catalog
from policy_cache.cli.shared.inputs import read_request_file, shown
from policy_cache.cli.shared.output import give_up, refuse
from policy_cache.cli.shared.positional import kind_of, one_of
from policy_cache.cli.shared.traces import called, kept, nothing_evaluated
from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged
from policy_cache.policy.text.file import check_size, decode, read_bytes
from policy_cache.report.forecast import trace_warnings
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from policy_cache.cli.shared.positional import Kind
    from policy_cache.cli.shared.traces import TraceFiles
    from policy_cache.studio.offers import Offers

_FILE = click.Path(path_type=Path, dir_okay=False)
_STREAM = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command("studio")
@click.argument("files", nargs=-1, metavar="[FILES]...", type=click.Path(allow_dash=True))
@click.option(
    "--policy", type=_FILE, help="Open this policy, and save there; the default policy if left out."
)
@catalog_option
@click.option("--request", type=_STREAM, help="Open this request, a JSON file.")
@click.option("--trace", type=_STREAM, help="Offer the first requests of a recorded trace.")
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="Save in it, by any name."
)
@click.option(
    "--port", default=8403, show_default=True, type=click.IntRange(0, 65_535), help="0 takes any free port."
)
@click.option("--no-open", is_flag=True, help="Leave it to you to open the page.")
def command(
    files: tuple[str, ...],
    *,
    policy: Path | None,
    catalog_file: str | None,
    request: Path | None,
    trace: Path | None,
    folder: Path | None,
    port: int,
    no_open: bool,
) -> None:
    """Serve a page on 127.0.0.1 that shows what a policy does to a request, as you write it.

    FILES are those of the options without writing these: a policy (.yaml), a request (.json) and a trace
    (.jsonl); where the name does not tell, what is in the file does.

    Nothing leaves this machine, and nothing is written unless you save. Needs the extra `emulator`.
    """
    opened = _told(files, policy, request, trace)
    try:
        from policy_cache.emulator.server import run  # noqa: PLC0415, slow to import, and optional
        from policy_cache.studio.app import Opened, Studio  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"starlette", "uvicorn"}:
            raise
        give_up("studio needs starlette and uvicorn: pip install 'policy-cache[emulator]'")

    def announce(address: str) -> None:
        click.echo(address)
        if not no_open:
            # A browser of a terminal would keep the server waiting.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    from policy_cache.studio.saving import Places, digest  # noqa: PLC0415

    source = opened.policy or packaged("policies", "default.yaml")
    content, text = _read(source)
    # What came through a pipe cannot be saved there.
    file = source.resolve() if opened.policy and source.is_file() else None
    with ExitStack() as stack:
        traced = stack.enter_context(kept((str(opened.trace),))) if opened.trace else None
        studio = Studio(
            Opened(visible(source.name), text, digest(content) if file else None),
            _offers(opened.request, traced),
            Places(file, folder and folder.resolve()),
            catalog=read_catalog(catalog_file),
        )
        stack.callback(studio.close)
        run(announce=announce, port=port, app=studio.app(), interrupted=studio.close)


class _Given(NamedTuple):
    """What to open, each of it at most once."""

    policy: Path | None
    request: Path | None
    trace: Path | None


def _told(files: tuple[str, ...], policy: Path | None, request: Path | None, trace: Path | None) -> _Given:
    """The files with their options and those without."""
    found: dict[Kind, list[str]] = {"policy": [], "request": [], "trace": []}
    for file in files:
        found[kind_of(file)].append(file)
    return _Given(
        _one("--policy", policy, found["policy"]),
        _one("--request", request, found["request"]),
        _one("--trace", trace, found["trace"]),
    )


def _one(option: str, given: Path | None, found: list[str]) -> Path | None:
    file = one_of(option, None if given is None else str(given), found)
    return None if file is None else Path(file)


def _read(source: Path) -> tuple[bytes, str]:
    """The content of a policy, and its text, whatever else may be wrong with it."""
    try:
        content = read_bytes(source)
        check_size(content, str(source))
        return content, decode(content, str(source))
    except PolicyError as error:
        refuse(error)


def _offers(request: Path | None, files: TraceFiles | None) -> Offers:
    """The requests to choose from; says what of a trace is left out."""
    from policy_cache.forecast.compare import TraceOptions  # noqa: PLC0415
    from policy_cache.studio.offers import Offers  # noqa: PLC0415
    from policy_cache.trace.reader import TraceSummary  # noqa: PLC0415

    given = None
    if request is not None:
        _, content = read_request_file(request)
        given = (shown(request), content.decode("utf-8-sig"))
    if files is None:
        return Offers(given)
    options = TraceOptions(*files)
    offers = Offers(given, options, called(options))
    nothing_evaluated(called(options), offers.summary.used, offers.summary)
    broken = TraceSummary(broken=offers.summary.broken, first_broken=offers.summary.first_broken)
    for warning in trace_warnings(broken, {}):
        click.echo(f"policy-cache: {warning}", err=True)
    return offers
