"""HTTP: from a request to a command or a query, and from its outcome to a response."""
