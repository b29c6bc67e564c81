"""The pool of connections."""

# ruff: noqa: ARG001, PLW0603  (it reads as people write such services)

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from fastapi import FastAPI

pool: asyncpg.Pool


async def keep_state(connection: asyncpg.Connection) -> None:
    """Skip the pool's reset query: no statement here leaves anything behind."""


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    global pool
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], reset=keep_state)  # of 10: more make updates slower
    async with pool:
        yield
