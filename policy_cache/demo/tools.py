"""The tools of the demo's agent, as OpenAI defines them."""

from __future__ import annotations

from typing import Any


def _tool(name: str, description: str, /, **parameters: dict[str, Any]) -> dict[str, Any]:
    required = [key for key, schema in parameters.items() if "default" not in schema]
    schema = {"type": "object", "properties": parameters, "required": required}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


def _text(description: str, **more: object) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _number(description: str, default: int) -> dict[str, Any]:
    return {"type": "integer", "description": description, "default": default}


_SERVICE = _text("The service as the handbook spells it, such as `refunds-api`.")
_SINCE = _text("Start of the window, UTC, as `HH:MM` of today or as a full ISO 8601 time.")
_UNTIL = _text("End of the window; the present when it is left out.", default="now")

TOOLS: tuple[dict[str, Any], ...] = (
    _tool(
        "list_alerts",
        "List the alerts of a service that are firing now or fired lately, newest first. Start here: an "
        "alert names the action, the threshold and the time at which it was crossed.",
        service=_SERVICE,
        since=_SINCE,
    ),
    _tool(
        "query_metrics",
        "Read one metric of a service as a series of one-minute values. Percentiles are computed for each "
        "minute and must not be averaged again. Prefer one narrow query to several wide ones.",
        service=_SERVICE,
        metric=_text(
            "What to read.",
            enum=["latency_p95_ms", "error_rate", "pool_waiters", "backlog", "requests_per_second"],
        ),
        since=_SINCE,
        until=_UNTIL,
    ),
    _tool(
        "list_deployments",
        "List the releases of a service with their time, their author and the services they touched. A "
        "change of configuration counts as a release and carries `config` in its kind.",
        service=_SERVICE,
        since=_SINCE,
    ),
    _tool(
        "diff_config",
        "Compare the configuration of a service between two releases. Only keys that differ are returned, "
        "secrets as a hash.",
        service=_SERVICE,
        before=_text("The earlier release, such as `4.17.2`."),
        after=_text("The later release, such as `4.18.0`."),
    ),
    _tool(
        "search_logs",
        "Search the structured logs of a service. The query is a list of `field=value` terms, all of which "
        "must match; a value may end in `*`. Customer numbers come back masked.",
        service=_SERVICE,
        query=_text("Terms such as `level=error action=approve`."),
        since=_SINCE,
        limit=_number("The most lines to return, at most 200.", 20),
    ),
    _tool(
        "compare_totals",
        "Run the nightly comparison between two services for one day and return the totals of each side "
        "with the rows that are on one side only. Takes about a minute and reads replicas only.",
        service=_SERVICE,
        neighbour=_text("The service to compare it with."),
        day=_text("The day, as an ISO 8601 date; both sides are cut at midnight UTC."),
    ),
    _tool(
        "set_flag",
        "Turn a feature flag of a service on or off for everyone. Needs a person's approval, which is "
        "recorded with the change.",
        service=_SERVICE,
        flag=_text("The name of the flag."),
        state=_text("What to set it to.", enum=["on", "off"]),
        approved_by=_text("Who approved it, by their handle."),
    ),
    _tool(
        "roll_back",
        "Return a service to an earlier release, configuration included. Instances are replaced one by one, "
        "which takes four minutes. Needs a person's approval, which is recorded with the change.",
        service=_SERVICE,
        release=_text("The release to return to."),
        approved_by=_text("Who approved it, by their handle."),
    ),
    _tool(
        "page_team",
        "Call the person on duty of a team. Say what is wrong, who is affected and what was already tried, "
        "in at most three sentences.",
        team=_text("The team as the handbook spells it, such as `Money`."),
        message=_text("What to tell them."),
    ),
)
