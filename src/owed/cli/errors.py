"""How a command says no."""


class Refused(Exception):  # noqa: N818  (it is not an error of the program)
    """A command cannot do what it was asked, in one line for whoever asked."""
