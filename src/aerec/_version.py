"""The version, read by the build and by ``aerec --version``."""

__version__ = "0.1.0"
