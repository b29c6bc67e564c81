"""How a command says no."""


class Refused(Exception):
    """A command cannot do what it was asked, in one line for whoever asked."""
