"""Errors that a user can act on. Each says what came, what was expected and what to do."""


class RigfaceError(Exception):
    """Base of every error that rigface raises on purpose; `exit_code` is what the CLI returns."""

    exit_code = 1


class UsageError(RigfaceError):
    """The call itself is wrong: unknown option values, contradictory settings."""

    exit_code = 2


class InputError(RigfaceError):
    """The input cannot be used: missing, damaged, empty, or not a face at all."""

    exit_code = 3


class OutputError(RigfaceError):
    """The output cannot be written where it was asked for."""

    exit_code = 3


class MissingExtraError(RigfaceError):
    """An optional capability is not installed; the message names the pip command."""

    exit_code = 3
