"""`python -m policy_cache`."""

from policy_cache.cli.main import main

if __name__ == "__main__":
    main()
