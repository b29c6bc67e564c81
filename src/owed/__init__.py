"""Self-hosted billing: what customers owe a merchant, and the payments against it."""

__version__ = "0.1.0"
