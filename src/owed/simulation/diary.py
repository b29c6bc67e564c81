"""The diary: what has happened in a world, and when, in lines for people."""

import asyncio


class Diary:
    """Lines, each with its virtual second."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        """Note what happens now."""
        self.lines.append(f"{asyncio.get_running_loop().time():10.4f} s  {line}")
