"""A simulation as one page: its values, its figures, and its HTML."""
