"""Whom PostgreSQL runs as: it refuses to be root."""

import os
import pwd
import subprocess
from pathlib import Path

import msgspec

from owed.database import DatabaseError

FALLBACKS = ("postgres", "nobody")


class Account(msgspec.Struct, frozen=True):
    """An account that exists; None in its fields stands for the one that runs this program."""

    name: str
    uid: int | None = None
    gid: int | None = None

    @classmethod
    def serving(cls, data: Path) -> "Account":
        """Return the account for a server on `data`: under root its owner, or one that every system has.

        None is ever created.

        Raises:
            DatabaseError: There is none.
        """
        if os.geteuid() != 0:
            return cls("this account")
        owner = data.stat().st_uid if data.exists() else 0
        candidates = [entry for entry in pwd.getpwall() if entry.pw_uid == owner != 0]
        candidates += [entry for name in FALLBACKS for entry in pwd.getpwall() if entry.pw_name == name]
        if not candidates:
            raise DatabaseError("PostgreSQL refuses to run as root, and there is no account postgres or nobody for it")
        return cls(candidates[0].pw_name, candidates[0].pw_uid, candidates[0].pw_gid)

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command as this account, out of reach of the terminal's Ctrl-C and of our caller's PG… variables."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(  # noqa: S603  (every command is one of ours)
            command,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            cwd="/",
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            start_new_session=True,
        )

    def reaches(self, directory: Path) -> bool:
        return self.run("/bin/sh", "-c", 'cd "$0"', directory).returncode == 0

    def adopt(self, tree: Path) -> None:
        """Make this account the owner of `tree` and of all in it."""
        if self.uid is None or self.gid is None:
            return
        os.chown(tree, self.uid, self.gid)
        for path in tree.rglob("*"):
            os.chown(path, self.uid, self.gid, follow_symlinks=False)
