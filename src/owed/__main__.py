"""`python -m owed` is `owed`."""

from owed.cli.app import main

if __name__ == "__main__":
    main()
