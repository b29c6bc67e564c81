"""The tuned stack: FastAPI over asyncpg by hand: a pool, a cache of keys, SQL that does each write in one statement.

Handlers take the request and give a finished response, so FastAPI's own costs are routing and little else.
"""

from bench.peers.tuned_stack import bills, customers, payments
from bench.peers.tuned_stack.application import app

__all__ = ["app", "bills", "customers", "payments"]
