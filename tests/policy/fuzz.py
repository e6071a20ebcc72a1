"""`python -m tests.policy.fuzz [COUNT]`: policies cut, doubled and mixed; each is reported, in time."""

from __future__ import annotations

import random
import sys
import time

from policy_cache.errors import PolicyError
from policy_cache.packaged import packaged_data
from policy_cache.policy.check.examine import examine_content, reviewed
from policy_cache.policy.check.reach.routes import Routes
from policy_cache.policy.write.mend import mend
from policy_cache.report.diagnostics.ci import annotation, as_sarif
from policy_cache.report.diagnostics.render import as_json, full
from policy_cache.text.styled import plain
from tests.conftest import REPOSITORY

LONGEST = 1.0
LARGEST = 20_000
TOKENS = rb"[ ] { } : , - # & * ! | > ' % @ ` ? $ . = ~ << --- yes 1e999 $.. [* re:( {".split()
TOKENS += [b'"', b"\n", b"\t", b"\r", b"\x00", b"\xff", b"\xef\xbb\xbf", b" "]
ROUTES = Routes(packaged_data())


def seeds():
    folders = ("tests/cases/valid", "tests/cases/invalid", "policies", "policies/strategies")
    files = [file for folder in folders for file in sorted((REPOSITORY / folder).glob("*.yaml"))]
    return [content for content in (file.read_bytes() for file in files) if len(content) < LARGEST]


def mutated(chance, texts):
    content = chance.choice(texts)
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(content))
        end = min(len(content), start + chance.choice((0, 1, 3, 20, 200)))
        other = chance.choice(texts)
        cut = chance.randint(0, len(other))
        pieces = (
            b"",
            content[start:end] * 2,
            chance.choice(TOKENS),
            chance.randbytes(3),
            other[cut : cut + 40],
        )
        content = content[:start] + chance.choice(pieces) + content[end:]
    return content


def diagnose(content):
    try:
        examined = examine_content(content, "fuzz.yaml")
    except PolicyError as error:
        return error.diagnostics, error.lines
    return reviewed(examined, ROUTES), examined.source.lines


def report(content):
    diagnostics, lines = diagnose(content)
    for diagnostic in diagnostics:
        plain(full(diagnostic, lines))
        annotation(diagnostic)
    as_json(diagnostics)
    as_sarif(diagnostics, "0")
    mended = mend(content, lambda data: diagnose(data)[0])
    assert not any(diagnostic.fix for diagnostic in diagnose(mended.content)[0]), "a fix is left"


def main(count, seed):
    chance = random.Random(seed)
    texts = seeds()
    slowest = 0.0
    for number in range(count):
        content = mutated(chance, texts)
        started = time.process_time()
        try:
            report(content)
        except Exception:
            print(f"input {number} of seed {seed}: {content!r}")
            raise
        took = time.process_time() - started
        if took > LONGEST:
            sys.exit(f"input {number} of seed {seed} took {took:.2f} s: {content!r}")
        slowest = max(slowest, took)
    print(f"{count:,} policies of seed {seed}: no failure, the slowest in {slowest * 1_000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, random.randrange(2**32))
