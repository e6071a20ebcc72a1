"""Requests whose sizes are known: 4,000 characters and their names are 1,146 tokens."""

MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
LONG = "x" * 4000
LONG_TOKENS = 1146
MODEL = "claude-opus-4-8"


def text(value, **fields):
    return {"type": "text", "text": value, **fields}


def user(content, role="user"):
    return {"role": role, "content": content}


def tool(name, **fields):
    return {"name": name, "input_schema": {"type": "object"}} | fields


def request(**fields):
    return {"model": MODEL, "max_tokens": 64, "messages": [user("hi")], **fields}


def shared_system(marker=MARK, **fields):
    """A long marked system prompt and a short question."""
    return request(system=[text(LONG, cache_control=marker)], **fields)


def usage_of(read=0, write_5m=0, write_1h=0, uncached=0):
    """The input side of `usage`."""
    return {
        "input_tokens": uncached,
        "cache_creation_input_tokens": write_5m + write_1h,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": write_5m, "ephemeral_1h_input_tokens": write_1h},
    }


def input_side(usage):
    return {key: usage[key] for key in usage_of()}
