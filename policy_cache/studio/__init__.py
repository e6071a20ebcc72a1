"""The studio: a page on this machine that shows what a policy does to a request as it is written."""
