"""The headless part of sonotune: everything the terminal screens and the command line ask for."""

__version__ = "0.1.0"
