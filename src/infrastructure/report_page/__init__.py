"""A report document as one HTML page: readable without a script, without a network, by keyboard and by ear."""

from .page import page
from .page_file import page_place

__all__ = ["page", "page_place"]
