"""The benchmark: Owed beside services that do the same work, over HTTP, in one run on one machine."""
