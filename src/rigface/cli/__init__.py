"""The command line: build a frozen config, call one function, say where the result is.

Nothing heavy is imported before a command runs, so that help and usage errors are instant.
"""

from rigface.cli.main import main, shell

__all__ = ["main", "shell"]
