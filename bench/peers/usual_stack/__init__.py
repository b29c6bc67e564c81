"""The usual stack: FastAPI, pydantic, the SQLAlchemy ORM and asyncpg, written as people write it."""

from bench.peers.usual_stack import bills, customers, payments, refunds
from bench.peers.usual_stack.application import app

__all__ = ["app", "bills", "customers", "payments", "refunds"]
