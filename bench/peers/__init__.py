"""Services that Owed is measured against: the same routes, checks, idempotency and durability."""
