"""The files of messages: announced with a message, fetched in the background, served to members of the unit.

::

    expect      rows that wait, in the transaction of the messages                            (intake)
    fetch       content of the webhook → link → gateway, sniffed, stored, recorded            (fetch)
    serve       inline what is harmless, everything else as a download                        (serving)
    prune       files whose messages are gone                                                 (storage)
"""

from messaging.media.intake import expect, file_of, files, look_again, try_again

__all__ = ["expect", "file_of", "files", "look_again", "try_again"]
