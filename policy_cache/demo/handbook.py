"""The system prompt of the demo's agent: a long handbook, the same to the letter every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Domain(NamedTuple):
    name: str
    team: str
    purpose: str
    things: str
    actions: tuple[str, str, str]


class _Kind(NamedTuple):
    name: str
    role: str
    store: str
    entry: str


class _Symptom(NamedTuple):
    title: str
    sign: str
    look: str
    remedy: str


_DOMAINS = (
    _Domain("orders", "Checkout", "turns a basket into a promise", "orders", ("place", "split", "cancel")),
    _Domain("payments", "Money", "takes money once and only once", "charges", ("hold", "capture", "void")),
    _Domain("refunds", "Money", "gives money back", "refunds", ("request", "approve", "settle")),
    _Domain("carts", "Checkout", "keeps what a shopper set aside", "baskets", ("open", "merge", "expire")),
    _Domain("catalogue", "Range", "says what is for sale", "articles", ("publish", "translate", "retire")),
    _Domain("pricing", "Range", "says what it costs today", "prices", ("quote", "discount", "freeze")),
    _Domain("stock", "Warehouse", "knows what lies where", "stock lines", ("count", "reserve", "release")),
    _Domain("parcels", "Warehouse", "follows a box to its door", "parcels", ("pack", "label", "trace")),
    _Domain(
        "returns", "Warehouse", "takes a box back in", "return slips", ("announce", "inspect", "restock")
    ),
    _Domain("invoices", "Books", "writes down what was sold", "invoices", ("issue", "correct", "export")),
    _Domain("accounts", "People", "knows who is asking", "accounts", ("register", "verify", "close")),
    _Domain("loyalty", "People", "thanks those who come back", "vouchers", ("grant", "redeem", "revoke")),
)

_KINDS = (
    _Kind("api", "answers requests while somebody waits", "PostgreSQL", "POST /v2/{things}/{{id}}/{action}"),
    _Kind("worker", "does in the background what may take a minute", "RabbitMQ", "queue {things}.{action}"),
    _Kind(
        "archive", "keeps finished work for ten years", "S3 and Parquet", "s3://{things}-archive/{action}/"
    ),
)

_SYMPTOMS = (
    _Symptom(
        "is slow",
        "takes longer than {limit} ms at the 95th percentile for {wait} minutes",
        "the pool of connections to {store}, since a full pool looks just like a slow query",
        "Raise `{key}_POOL_SIZE` by half, never above 96, and watch the waiters before raising it again",
    ),
    _Symptom(
        "fails",
        "returns errors on more than one request in {limit}",
        "the last deployment of {service}, then the one of {neighbour}, which it calls for every {action}",
        "Roll back to the release before; fixing forward is for office hours, and reviewed",
    ),
    _Symptom(
        "runs twice",
        "writes two rows in {things} with the same idempotency key",
        "the lease: a worker that pauses for longer than `{key}_LEASE_SECONDS` loses it and does not notice",
        "Stop the older of the two, keep both rows, and let {team} decide which one stands",
    ),
    _Symptom(
        "falls behind",
        "has a backlog of over {limit} {things} that is older than {wait} minutes",
        "whether {neighbour} slowed down first, because a backlog here is mostly a symptom of one there",
        "Add consumers in steps of two while the lag shrinks, and stop as soon as {store} shows lock waits",
    ),
    _Symptom(
        "disagrees with {neighbour}",
        "reports totals that differ by more than {wait} {things} in the nightly comparison",
        "the comparison's own clock, which counts in UTC while {neighbour} closes its day at local midnight",
        "Replay the day with `replay --service {service} --action {action} --dry-run`, and attach to the "
        "alert what it says",
    ),
)

_RULES = """\
You are the on-call agent of a shop that ships to eleven countries. You investigate alerts with the
tools you are given, say what you found with the evidence for it, and propose one next step.

1. Look before you speak: a claim about a service names the query, the log line or the file it is from.
2. Read first, change later. `roll_back` and `set_flag` need the word "approved" from a person.
3. One cause is seldom the whole story: ask what changed, who was affected, and since when.
4. Money comes first. If a customer may be charged twice, say so in the first sentence.
5. Never paste personal data. Customer numbers are written with their last three digits only.
6. Times are UTC, amounts are in cents, and a percentile without its window is not a number.

What follows is the handbook. It describes every service in the same order: what it is for, how it is
reached, how it is configured, and what to do when it misbehaves.
"""


def handbook() -> str:
    """The whole text."""
    return "\n".join([_RULES, *_chapters()])


def _chapters() -> Iterator[str]:
    for number, domain in enumerate(_DOMAINS):
        for place, kind in enumerate(_KINDS):
            yield _chapter(domain, kind, 3 * number + place)


def _chapter(domain: _Domain, kind: _Kind, number: int) -> str:
    service = f"{domain.name}-{kind.name}"
    neighbour = f"{_DOMAINS[(5 * number + 7) % len(_DOMAINS)].name}-{_KINDS[number % 2].name}"
    key = service.upper().replace("-", "_")
    words = {
        "service": service,
        "neighbour": neighbour if neighbour != service else "accounts-api",
        "things": domain.things,
        "team": domain.team,
        "store": kind.store,
        "key": key,
    }
    lines = [
        f"## {number + 1}. {service}",
        "",
        f"{service} {domain.purpose}; it is the part that {kind.role}.",
        f"It belongs to {domain.team}, stores its state in {kind.store}, and leans on {words['neighbour']}.",
        "",
        "```yaml",
        f"{key}_POOL_SIZE: {16 + 8 * (number % 5)}",
        f"{key}_LEASE_SECONDS: {30 + 15 * (number % 7)}",
        f"{key}_TIMEOUT_MS: {400 + 50 * (number * 7 % 13)}  # must stay below the caller's own",
        "```",
        "",
    ]
    for position, action in enumerate(domain.actions):
        entry = kind.entry.format(things=domain.things.replace(" ", "-"), action=action)
        lines += [f"### {service}: {action}", "", f"Reached as `{entry}`.", ""]
        for step, symptom in enumerate(_SYMPTOMS):
            seed = 11 * number + 5 * position + 3 * step
            numbers = {"limit": 200 + 50 * (seed % 17), "wait": 5 + seed % 11, "action": action}
            title, sign, look, remedy = (part.format_map(words | numbers) for part in symptom)
            lines.append(f"- **`{action}` {title}** when it {sign}. Look first at {look}. {remedy}.")
        lines.append("")
    return "\n".join(lines)
