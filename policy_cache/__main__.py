"""`python -m policy_cache`."""

from policy_cache.cli.main import main

main()
