"""`python -m benchmarks.lifetimes [FOLDER ...]`: what each choice of lifetimes costs, over the optimum.

Without a folder, on generated mixes: chats, whose every request follows after an exponential pause; agents,
whose tools answer at once and whose people pause for log-normal times; and mixes of them. Cells are sums over
seeds, and over how many conversations share tools and system prompt. With folders, on what they hold:
`*.jsonl` are conversations without times, which are drawn; `*.json` are sessions with times.

Read prices are those of models: 0.1, 0.05 and 0.025 of the input price.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.causal import KnownLaw
from benchmarks.mixes import AGENTS, CHATS, MEANS, MIXES, Mix
from policy_cache.cache.cost import cost
from policy_cache.cache.reader import Readers
from policy_cache.forecast.calibration import calibrate
from policy_cache.forecast.candidates import Candidate, candidates, rules
from policy_cache.forecast.compare import PolicyText, TraceOptions, compare
from policy_cache.forecast.optimum import Optimum
from policy_cache.forecast.replay import Replay
from policy_cache.forecast.tune import tune
from policy_cache.lifetimes import FLOOR
from policy_cache.live.engine import Engine
from policy_cache.packaged import packaged
from policy_cache.policy.text.search import search
from policy_cache.providers.cache_rules import ExplicitRules
from policy_cache.providers.price_map import prices_of, route_prices
from policy_cache.trace.record import TraceRecord
from tests.forecast.conversations import SEED, lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from policy_cache.cache.scale import Scale
    from policy_cache.forecast.result import Simulation

MODELS = {
    "0.1": "anthropic/claude-opus-5",
    "0.05": "anthropic/claude-opus-5-5",
    "0.025": "anthropic/claude-fable-5-1",
}
"""A model of each read price; all write at 1.25 and 2, and have the same minimum."""
TOGETHER = (1, 4, 12)
TUNED, KNOWN = "what `tune` proposes", "the best with the law known"
BOUNDS = OPTIMUM, PINGED = "optimum", "optimum with pings"

_LEARNS = re.compile(r"ttl: *auto")

Costs = Counter[str]


def policies() -> dict[str, str]:
    """The policies that are compared: what they are called, and their YAML."""
    folder = packaged("policies")
    files = search(str(folder / name) for name in ("default.yaml", "interactive.yaml", "strategies"))
    return {
        "five minutes everywhere": _fixed(Candidate("5m", "always", "5m")),
        "an hour everywhere": _fixed(Candidate("1h", "always", "1h")),
        "`auto` everywhere": _fixed(Candidate("auto", "always", "auto")),
        **{Path(file).stem: Path(file).read_text(encoding="utf-8") for file in files},
    }


def _fixed(candidate: Candidate) -> str:
    lines = [*rules(candidate, ['provider: "*"'], "fixed")]
    return "\n".join(["version: 1", "name: fixed", "rules:" if lines else "rules: []", *lines])


def costs(records: Sequence[TraceRecord], tried: Mapping[str, str], after: int = 0) -> dict[str, Costs]:
    """What requests cost under each policy, as `tune` would have it, and at least: in USD, by read price.

    Args:
        records: The requests.
        tried: The policies.
        after: So many requests come first, and their costs are left out: what is learned there is known.
    """
    start = records[after].at

    def replayed(engines: Sequence[Engine], model: str, keep_warm: float | None = None) -> Simulation:
        replay = Replay(
            engines,
            by=lambda record: "counts" if record.at >= start else "before",
            keep_warm=keep_warm,
        )
        for record in records:
            replay.add(_sent_to(record, model))
        return replay.finish()

    # Of what does not look at prices, tokens are the same at every price.
    fixed = {name: text for name, text in tried.items() if not _LEARNS.search(text)}
    tuned = [_fixed(candidate) for candidate in candidates() if candidate.ttl != "auto"]
    once = replayed(
        [Engine.from_text(text) for text in (*fixed.values(), *tuned)], next(iter(MODELS.values()))
    )
    tokens = [column.groups["counts"].tokens for column in once.policies]
    found: dict[str, Costs] = {}
    for price, model in MODELS.items():
        prices = prices_of(model.removeprefix("anthropic/"), "anthropic")
        assert prices is not None
        paid = [cost(outcome, prices) or Decimal(0) for outcome in tokens]
        known = dict(zip(fixed, paid, strict=False))
        learning = {name: text for name, text in tried.items() if name not in fixed}
        if learning:
            each = replayed([*map(Engine.from_text, learning.values())], model, FLOOR)
            for name, column, kept in zip(learning, each.policies, each.kept, strict=True):
                known[name] = column.groups["counts"].cost or Decimal(0)
                known[f"{name}, kept warm"] = kept.groups["counts"].cost or Decimal(0)
        found[price] = Counter({name: paid for name, paid in known.items() if name not in tried})
        found[price] |= {name: known[name] for name in tried}
        found[price][TUNED] = min(paid[len(fixed) :])
        sent = [_sent_to(record, model) for record in records]
        for name in BOUNDS:
            # Little is lost by what the rest would have had the first ones keep.
            found[price][name] = least(sent, name) - least(sent[:after], name)
    return found


def _sent_to(record: TraceRecord, model: str) -> TraceRecord:
    return record._replace(request={**record.request, "model": model})


def least(records: Sequence[TraceRecord], bound: str, scales: Mapping[str, Scale] | None = None) -> Decimal:
    """The optimum of some requests, with pings or without."""
    router, readers = Engine.passing(), Readers(scales or {})
    optima: dict[tuple[str, str], Optimum] = {}
    for record in records:
        route = router.route(record.request)
        prompt = readers.read(record.request, route, record.scope)
        assert isinstance(route.cache, ExplicitRules)
        begun = Optimum(route.cache, pings=bound == PINGED)
        optima.setdefault((record.scope, route.qualified), begun).add(prompt, record.at, route_prices(route))
    return sum((optimum.total or Decimal(0) for optimum in optima.values()), Decimal(0))


def mixed(mix: Mix, tried: Mapping[str, str], share: float) -> dict[str, Costs]:
    """The same of a mix, with the best causal choice of who knows its law."""
    records = mix.records(next(iter(MODELS.values())))
    after = int(share * len(records))
    found = costs(records, tried, after)
    for price, model in MODELS.items():
        paid = KnownLaw(mix, model).costs([_sent_to(record, model) for record in records])
        found[price][KNOWN] = sum(paid[after:], Decimal(0))
    return found


def paused(folder: Path, mean: float, seed: int, tried: Mapping[str, str]) -> dict[str, Costs]:
    """The conversations of a folder, with exponential pauses."""
    records = [
        TraceRecord("", line["ts"], line["request"], None, 0.0, "", line["session"])
        for line in lines(folder, mean, seed=seed)
    ]
    return costs(records, tried)


def recorded(file: Path, tried: Mapping[str, str], model: str | None) -> Costs:
    """What a session cost, by the models that it was sent to, or by another one."""
    options = TraceOptions((str(file),), model=model)
    simulation, _ = compare(options, [PolicyText(name, text) for name, text in tried.items()])
    paid: Costs = Counter()
    for name, column in zip(tried, simulation.policies, strict=True):
        paid[name] = column.total.cost or Decimal(0)
    paid[TUNED] = sum((choice.marked.cost or Decimal(0) for choice in tune(options)[0]), Decimal(0))
    records, scales = list(options.read()), calibrate(options).scales
    for name in BOUNDS:
        paid[name] = least(records, name, scales)
    return paid


def table(columns: Mapping[str, Costs]) -> Iterator[str]:
    """A line for each policy, in terms of the optimum; policies that cost the same share one."""
    yield f"| policy | {' | '.join(columns)} |"
    yield f"|---|{'---:|' * len(columns)}"
    alike: dict[tuple[Decimal, ...], list[str]] = {}
    for name in next(iter(columns.values())):
        if name != OPTIMUM:
            alike.setdefault(tuple(column[name] for column in columns.values()), []).append(name)
    for paid, names in alike.items():
        cells = (f"{cost / column[OPTIMUM]:.3f}" for cost, column in zip(paid, columns.values(), strict=True))
        yield f"| {', '.join(names)} | {' | '.join(cells)} |"


def generated(arguments: argparse.Namespace, tried: Mapping[str, str]) -> None:
    for title, kinds in (("chats", CHATS), ("agents", AGENTS | MIXES)):
        columns = {
            name: [
                mixed(Mix(laws, together, arguments.conversations, seed), tried, arguments.after)
                for seed in range(1, arguments.seeds + 1)
                for together in TOGETHER
            ]
            for name, laws in kinds.items()
        }
        show(title, columns)


def conversations(folder: Path, seeds: int, tried: Mapping[str, str]) -> None:
    columns = {
        name: [paused(folder, mean, seed, tried) for seed in range(SEED, SEED + seeds)]
        for name, mean in MEANS.items()
    }
    show(folder.name, columns)


def show(title: str, columns: Mapping[str, Sequence[Mapping[str, Costs]]]) -> None:
    """A table for each read price, of the sums over what was drawn."""
    for price in MODELS:
        sums = {name: _sum(draw[price] for draw in draws) for name, draws in columns.items()}
        print(f"\n{title}, read price {price}\n", *table(sums), sep="\n", flush=True)


def sessions(files: Sequence[Path], tried: Mapping[str, str], model: str | None) -> None:
    each = [recorded(file, tried, model) for file in files]
    whole = _sum(each)
    print(f"\n{len(files)} sessions, {model or 'as recorded'}\n")
    print("| policy | cost | of all | median session | 90th percentile |")
    print("|---|---:|---:|---:|---:|")
    for name, paid in whole.items():
        ratios = sorted(float(session[name] / session[OPTIMUM]) for session in each)
        high = ratios[int(0.9 * (len(ratios) - 1))]
        over = f"{paid / whole[OPTIMUM]:.3f} | {statistics.median(ratios):.3f} | {high:.3f}"
        print(f"| {name} | ${paid:,.2f} | {over} |", flush=True)


def _sum(parts: Iterable[Costs]) -> Costs:
    return sum(parts, Counter())


def main(tried: Callable[[], Mapping[str, str]] = policies) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=1, help="how many draws of each kind")
    parser.add_argument("--conversations", type=int, default=12, help="of each draw")
    parser.add_argument(
        "--after", type=float, default=0.4, help="the share of each draw's requests that only teach"
    )
    parser.add_argument("--model", help="that sessions with times are taken to have been sent to")
    arguments = parser.parse_args()
    known = tried()
    if not arguments.folders:
        generated(arguments, known)
    for folder in arguments.folders:
        if files := sorted(folder.glob("*.json")):
            sessions(files, known, arguments.model)
        if any(folder.glob("*.jsonl")):
            conversations(folder, arguments.seeds, known)


if __name__ == "__main__":
    main()
