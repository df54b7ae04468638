"""The operations: each a NumPy function with the rule that pulls a gradient back through it."""
