"""Webhooks: what happened reaches the merchant's systems, signed, and nothing else reaches anything."""
