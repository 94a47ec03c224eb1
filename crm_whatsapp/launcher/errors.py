"""What can go wrong at start, said to the person at the terminal."""


class LauncherError(Exception):
    """Starting failed for a reason a person can do something about; its text is the sentence to show."""
