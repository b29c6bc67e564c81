"""What is kept in PostgreSQL, and all the SQL."""
