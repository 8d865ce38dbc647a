"""The same as ``b2b_contract``: the documents use both names."""

from b2b.management.commands.b2b_contract import Command

__all__ = ["Command"]
