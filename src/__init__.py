"""ctx: the least context that answers a question about a repository.

Importing this package costs nothing: every module is imported by the command that needs it.
"""

__version__ = "0.1.0"
