"""What people send: judged, queued, and what is asked of the gateway besides.

::

    contents      what a message may be, and WhatsApp's limits for it
    queueing      a row that waits for its lane: the one way to send as a person
    attachments   files to send, uploaded or fetched (web) once, and forgotten when nothing needs them
    asking        edit, delete for everyone, typing, read: what is asked for
    actions       … and done, in the background
"""
