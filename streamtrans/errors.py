"""The errors meant for users, as one small tree.

Every message says what was wrong, where, and what to do; the command line prints it as one line on standard error and
exits with `exit_code`. Anything else that escapes is a bug of ours and keeps its traceback.
"""


class StreamtransError(Exception):
    """Root of all errors meant for users; `exit_code` is the process exit status."""

    exit_code = 1


class UsageError(StreamtransError):
    """An option or argument that cannot be: out of range, unknown, or belonging to another choice."""

    exit_code = 2


class DataError(StreamtransError):
    """A file whose content cannot be used: not UTF-8, unequal line counts, a malformed log line."""


class StreamtransWarning(UserWarning):
    """Something that a user should know of a result that is there all the same."""


class ModelError(StreamtransError):
    """A model that cannot be found, or whose files are missing, corrupt or of another architecture."""
