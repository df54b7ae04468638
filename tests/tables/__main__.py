"""``python -m tests.tables``: write tinygrad_loss/losses/README.md anew."""

from __future__ import annotations

from .render import README, render

README.write_text(render(), encoding="utf-8")
print(f"wrote {README}")
