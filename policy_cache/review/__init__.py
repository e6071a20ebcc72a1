"""A change of a policy under review: which requests it changes, how, and what that is worth."""
