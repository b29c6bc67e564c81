"""The command `owed`: one file per noun."""
