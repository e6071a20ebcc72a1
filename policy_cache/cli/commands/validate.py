"""`policy-cache validate`."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from policy_cache import __version__
from policy_cache.cli.shared.catalog import catalog_option, read_routes
from policy_cache.cli.shared.files import changes, difference, fix_file, pause, standard_input
from policy_cache.cli.shared.output import give_up, show, show_json
from policy_cache.diagnostics import Diagnostic
from policy_cache.errors import PolicyError, reason_of
from policy_cache.packaged import packaged
from policy_cache.policy.check.examine import examine, examine_content, reviewed
from policy_cache.policy.text.file import read_bytes
from policy_cache.policy.text.search import search
from policy_cache.report.diagnostics.render import as_json, concise, full
from policy_cache.text.amounts import counted
from policy_cache.text.styled import Span
from policy_cache.text.words import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from policy_cache.policy.check.examine import Examined
    from policy_cache.policy.check.reach.routes import Routes

STDIN = "<stdin>"

# From so many files on, starting processes pays.
_MANY = 128


@dataclass(frozen=True, slots=True)
class Checked:
    """What there is to say about a file.

    Attributes:
        diagnostics: Errors and warnings, in the order of the file.
        lines: Its lines.
        rules: How many rules it has.
        unreadable: Whether it could not be read.
    """

    diagnostics: Sequence[Diagnostic]
    lines: Sequence[str]
    rules: int = 0
    unreadable: bool = False


@click.command("validate")
@click.argument("names", nargs=-1, metavar="[FILE]...")
@click.option(
    "--output-format",
    type=click.Choice(["auto", "full", "concise", "json", "github", "sarif"]),
    default="auto",
    show_default=True,
    help="How to print what is found; auto is github in GitHub Actions, and else full.",
)
@catalog_option
@click.option("--fix", "fixes", is_flag=True, help="Write the fixes that are certain into the files.")
@click.option("--diff", "shows", is_flag=True, help="Show those fixes, and write nothing.")
@click.option("--watch", "watches", is_flag=True, help="Check again whenever a file changes, until Ctrl-C.")
@click.option("--exit-zero", is_flag=True, help="Exit with 0 though a policy is invalid.")
def command(
    names: tuple[str, ...],
    output_format: str,
    catalog_file: str | None,
    *,
    fixes: bool,
    shows: bool,
    watches: bool,
    exit_zero: bool,
) -> None:
    """Check policy files, folders of them, and globs.

    `-` is standard input, and without a FILE the packaged default policy is checked. In a folder, what looks
    like a policy is checked, and no `*.test.yaml`. Exits with 1 when a policy is invalid, and with 2 when a
    file cannot be read.
    """
    if not names:
        click.echo("policy-cache: no file is named, so the packaged default policy is checked", err=True)
        names = (str(packaged("policies", "default.yaml")),)
    if "-" in names and (watches or (fixes and not shows)):
        raise click.UsageError("standard input can be neither watched nor written; --diff shows its fixes")
    if watches and shows:
        raise click.UsageError("--diff is for one look; --watch is for many")
    if output_format == "auto":
        output_format = "github" if os.environ.get("GITHUB_ACTIONS") == "true" else "full"
    run = _Run(output_format, read_routes(catalog_file), fixes=fixes, shows=shows)
    if not watches:
        code = run.once(search(names))
        sys.exit(0 if code == 1 and exit_zero else code)
    try:
        for changed in changes(lambda: search(names), pause):
            if changed:
                show([Span(f"\n--- {', '.join(map(visible, changed))} ---\n", "dim")], err=True)
            run.once(search(names))
    except KeyboardInterrupt:
        sys.exit(0)


class _Run:
    """One look at some files, and what is printed of it."""

    def __init__(self, output_format: str, routes: Routes, *, fixes: bool, shows: bool) -> None:
        self._format = output_format
        self._routes = routes
        self._fixes = fixes or shows
        self._writes = fixes and not shows
        self._shows = shows
        self._unwritten = False

    def once(self, files: Sequence[str]) -> int:
        """Check files, print what is found, and return the exit code."""
        fixed = sum(self._fix(file) for file in files) if self._fixes else 0
        if self._shows:
            what = f"Would fix {counted(fixed, 'problem')}" if fixed else "Nothing to fix"
            show([Span(f"{what} in {counted(len(files), 'file')}.\n")], err=True)
            return 1 if fixed else 0
        diagnostics: list[Diagnostic] = []
        rules = 0
        unreadable = False
        for checked in self._check_all(files):
            diagnostics += checked.diagnostics
            rules += checked.rules
            unreadable = unreadable or checked.unreadable
            self._print(checked)
        self._close(diagnostics, len(files), rules, fixed)
        invalid = any(diagnostic.severity == "error" for diagnostic in diagnostics)
        return 2 if unreadable or self._unwritten else int(invalid)

    def _check_all(self, files: Sequence[str]) -> Iterator[Checked]:
        """Check files in their order; many of them in several processes."""
        if len(files) < _MANY or "-" in files:
            yield from map(self._check, files)
            return
        from multiprocessing import Pool  # noqa: PLC0415, slow to import, and rarely needed

        # Ctrl-C reaches every process of a terminal; this one ends the others.
        with Pool(None, signal.signal, (signal.SIGINT, signal.SIG_IGN)) as pool:
            yield from pool.imap(self._check, files, chunksize=_MANY // 4)

    def _print(self, checked: Checked) -> None:
        for diagnostic in checked.diagnostics:
            if self._format == "full":
                show([*full(diagnostic, checked.lines), Span("\n")])
            elif self._format == "concise":
                show(concise(diagnostic))
            elif self._format == "github":
                from policy_cache.report.diagnostics.ci import annotation  # noqa: PLC0415, only for this format

                click.echo(annotation(diagnostic), nl=False)

    def _close(self, diagnostics: Sequence[Diagnostic], files: int, rules: int, fixed: int) -> None:
        if self._format == "json":
            show_json(as_json(diagnostics))
        elif self._format == "sarif":
            from policy_cache.report.diagnostics.ci import as_sarif  # noqa: PLC0415, only for this format

            show_json(as_sarif(diagnostics, __version__))
        if fixed:
            where = counted(files, "file")
            show([Span(f"Fixed {counted(fixed, 'problem')} in {where}.\n", "added")], err=True)
        if self._format not in {"json", "sarif"}:
            show(_summary(diagnostics, files, rules), err=self._format != "full")

    def _check(self, file: str) -> Checked:
        try:
            if file == "-":
                return self._checked(examine_content(_content(file), STDIN))
            return self._checked(examine(file))
        except PolicyError as error:
            diagnostics = tuple(map(_of_folder, error.diagnostics))
            return Checked(diagnostics, error.lines, unreadable=error.unreadable)

    def _checked(self, examined: Examined) -> Checked:
        source = examined.source
        listed = source.data.get("rules") if isinstance(source.data, dict) else None
        diagnostics = reviewed(examined, self._routes)
        return Checked(diagnostics, source.lines, len(listed) if isinstance(listed, list) else 0)

    def _fix(self, file: str) -> int:
        """Apply a file's certain fixes, or show them, and return their number."""
        name = STDIN if file == "-" else file
        try:
            content = _content(file)
        except PolicyError:
            return 0  # the check says why
        try:
            mended = fix_file(
                content, lambda data: self._diagnose(data, name), file if self._writes else None
            )
        except OSError as error:
            message = f"policy-cache: {visible(name)}: {reason_of(error)}"
            click.echo(message, err=True)
            self._unwritten = True
            return 0
        if self._shows and mended.fixes:
            show(difference(content, mended.content, name))
        return mended.fixes

    def _diagnose(self, content: bytes, name: str) -> Sequence[Diagnostic]:
        try:
            return self._checked(examine_content(content, name)).diagnostics
        except PolicyError as error:
            return error.diagnostics


def _content(file: str) -> bytes:
    if file != "-":
        return read_bytes(Path(file))
    try:
        return standard_input()
    except OSError as error:
        give_up(f"{STDIN}: {reason_of(error)}")


def _of_folder(diagnostic: Diagnostic) -> Diagnostic:
    """A folder is searched, and named only where it holds nothing."""
    if diagnostic.code != "PC101":
        return diagnostic
    help_ = "a policy is a YAML file with `version`, `name` and `rules`; name a file to check it in any case"
    return Diagnostic("PC101", "error", "no policy in this folder", help=help_, file=diagnostic.file)


def _summary(diagnostics: Sequence[Diagnostic], files: int, rules: int) -> list[Span]:
    errors = sum(1 for diagnostic in diagnostics if diagnostic.severity == "error")
    warnings = len(diagnostics) - errors
    where = f"in {counted(files, 'file')}"
    beside = f" and {counted(warnings, 'warning')}" if warnings else ""
    if errors:
        return [Span(f"Found {counted(errors, 'error')}{beside} {where}.\n", "error")]
    return [Span(f"Valid{beside and ', with' + beside[4:]}: {counted(rules, 'rule')} {where}.\n", "added")]
