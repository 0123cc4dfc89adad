"""Matplotlib as a program needs it that has nobody who asks for help on its classes."""


def import_undocumented() -> None:
    """Import what plots are drawn with, without the tables of properties that it writes into docstrings: a fifth of that time.

    For a process of our own: what another program has imported, or will, is its own affair.
    """
    from matplotlib import artist

    described = artist.kwdoc
    artist.kwdoc = lambda artist: ""
    try:
        import matplotlib.axes
        import matplotlib.backends.backend_svg
        import matplotlib.figure  # noqa: F401
    finally:
        artist.kwdoc = described
