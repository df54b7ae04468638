"""Finite in, no nan out; nan in, nan out: every loss on draws from the whole range of the floats, subnormal to largest."""
