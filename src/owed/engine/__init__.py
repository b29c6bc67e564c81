"""The engine: takes all commands that wait, decides them on one state, and saves what they did in one transaction."""
