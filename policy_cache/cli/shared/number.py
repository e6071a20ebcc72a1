"""A number in a range, as an option of the command line takes it."""

from __future__ import annotations

import math

import click


class Number(click.FloatRange):
    """A number in a range; `nan` and `inf` are none."""

    def convert(self, value: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number; exits with 2 on anything else."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number
