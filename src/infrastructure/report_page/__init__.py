"""A report document as one HTML page: readable without a script, without a network, by keyboard and by ear."""

from .page import START, page

__all__ = ["START", "page"]
