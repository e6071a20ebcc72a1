"""The handler that a litellm proxy's `config.yaml` names, set up from the environment.

- `POLICY_CACHE_POLICY`: the policy, a file or a URL, which is watched; the packaged default if left out.
- `POLICY_CACHE_CATALOG`: a catalog file.
"""

from __future__ import annotations

import os

from policy_cache.engine.engine import Engine
from policy_cache.integrations.litellm.handler import PolicyCacheHandler


def proxy_handler() -> PolicyCacheHandler:
    """The handler for this process.

    Raises:
        PolicyError: The policy or the catalog is not valid; the proxy then does not start.
    """
    policy = os.environ.get("POLICY_CACHE_POLICY")
    catalog = os.environ.get("POLICY_CACHE_CATALOG")
    if policy is None:
        return PolicyCacheHandler(Engine.default(catalog=catalog))
    return PolicyCacheHandler(Engine.watch(policy, catalog=catalog))
