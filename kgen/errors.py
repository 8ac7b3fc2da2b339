"""The one exception a user is meant to read."""


class KgenError(Exception):
    """A problem the user can mend: what was expected, what was received, what to do.

    The command line prints the message on one line and exits with status 1; libraries that embed
    kgen can catch it without catching programming errors.
    """
