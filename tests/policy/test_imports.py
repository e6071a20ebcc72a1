"""Loading stays light: what a fresh interpreter has imported afterwards."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import policy_cache

PROGRAM = """
import json, sys
import policy_cache.policy.load
before = sorted(sys.modules)
policy_cache.policy.load.loads("version: 1\\nname: t\\nrules: []\\n")
print(json.dumps([before, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def modules():
    output = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True
    ).stdout
    before, after = json.loads(output)
    return set(before), set(after)


def test_never(modules):
    assert modules[1].isdisjoint({"litellm", "rich", "click", "policy_cache.report.diagnostics.render"})


def test_only_when_a_file_is_read(modules):
    before, after = modules
    assert "jsonschema" not in before
    assert "jsonschema" in after
    assert "policy_cache.policy.language.schema" not in after


ALONE = """
import sys, types
package = types.ModuleType("policy_cache")
package.__path__ = [sys.argv[1]]
sys.modules["policy_cache"] = package
from policy_cache.policy.check.examine import examine_content
assert examine_content("version: 1\\nname: t\\nrules: []\\n", "t").ok
print("pydantic" in sys.modules)
"""


def test_examining_needs_no_model():
    package = str(Path(policy_cache.__file__).parent)
    command = [sys.executable, "-c", ALONE, package]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "False\n"
