"""What bounds the losses that miss their goal, found with a profile: one line each, for the report."""

BOUNDED_BY: dict[str, str] = {}
