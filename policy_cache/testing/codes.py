"""What can be wrong with a test file, and how a test can fail."""

from __future__ import annotations

CODES = {
    "PC501": "a duplicate test name",
    "PC502": "a test file without its policy",
    "PC503": "a rule that the policy does not have",
    "PC504": "a path that does not name one place",
    "PC505": "a repeated text that is none",
    "PC506": "a request that cannot be used",
    "PC507": "a request that litellm does not send",
    "PC510": "a test that expects nothing",
    "PC511": "other breakpoints",
    "PC512": "a change, or none",
    "PC513": "other parameters",
    "PC514": "other reasons",
    "PC515": "other markers on the wire",
}
"""Every code that is of tests alone, with its short title; 51x: a test that failed."""
