"""PostgreSQL: a server of our own, connections to it, and its schema."""


class DatabaseError(Exception):
    """What keeps the database from being used, in one line for whoever can change it."""
