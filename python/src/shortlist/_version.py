"""The package's version; that of the library must be the same."""

__version__ = "0.1.0"
