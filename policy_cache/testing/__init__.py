"""Tests of policies: what a policy must do to a request, written beside it in a `*.test.yaml`."""
