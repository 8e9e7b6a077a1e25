"""The one exception that users see."""


class E2EError(Exception):
    """Bad input or a failed step: the message says what was wrong, where, and what to do.

    Commands and workflow scripts print it as a single line and exit with code 1; any other
    exception is a bug and keeps its traceback.
    """
