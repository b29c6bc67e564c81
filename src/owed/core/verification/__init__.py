"""Verification: whether the ledger is what was written, and the rest what it says (docs/ledger.md)."""
