"""Explanations of codes, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy_cache.text.styled import Span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from policy_cache.policy.check.explanation import Explanation


def explained(explanation: Explanation) -> list[Span]:
    """A code, what it means, and an example that yields it beside one that does not."""
    spans = [
        Span(explanation.code, "strong"),
        Span(f"  {explanation.title}\n\n"),
        Span(f"{explanation.text}\n"),
    ]
    for name, text in (("Bad", explanation.bad), ("Good", explanation.good)):
        if text:
            spans.append(Span(f"\n{name}:\n", "removed" if name == "Bad" else "added"))
            spans += [Span(f"    {line}\n") for line in text.splitlines()]
    return spans


def overview(every: Iterable[Explanation]) -> list[Span]:
    """A line for each code."""
    return [
        span
        for explanation in every
        for span in (Span(explanation.code, "strong"), Span(f"  {explanation.title}\n"))
    ]


_PARTS = {
    "PC1": "The file and its form",
    "PC2": "Paths",
    "PC3": "Meaning",
    "PC4": "Style",
}


def page(every: Iterable[Explanation]) -> str:
    """The documentation page of all codes."""
    out = [
        "# Diagnostics",
        "",
        "What `policy-cache validate` reports, each with an example that yields it and one that does not.",
        "`policy-cache rule CODE` shows the same. This page is written by `make docs`.",
    ]
    part = ""
    for explanation in every:
        if explanation.code[:3] != part:
            part = explanation.code[:3]
            out += ["", f"## {_PARTS[part]}"]
        out += ["", f"### {explanation.code}: {explanation.title}", "", explanation.text]
        for name, text in (("Bad", explanation.bad), ("Good", explanation.good)):
            if text:
                language = "sh" if text.startswith("$ ") else "yaml"
                # A bad example is no policy to copy, and says so to whoever reads the page by program.
                fence = f"```{language} bad" if name == "Bad" else f"```{language}"
                out += ["", f"{name}:", "", fence, text.rstrip("\n"), "```"]
    return "\n".join(out) + "\n"
