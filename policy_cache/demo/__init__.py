"""The demo: what a policy saves, shown on one machine, without a key and without a network.

Needs the `litellm` and `emulator` extras, which are looked for only when it runs.
"""

from policy_cache.demo.client import DemoError
from policy_cache.demo.result import Comparison, DemoResult, Usage, report
from policy_cache.demo.run import run_demo
from policy_cache.demo.step import Step

__all__ = ["Comparison", "DemoError", "DemoResult", "Step", "Usage", "report", "run_demo"]
