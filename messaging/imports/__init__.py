"""Contacts from a CSV file: reading it, what its columns are, and a background job that a kill does not hurt.

`reading` knows the file, `columns` what its cells mean, `chunks` the set-based writing of some thousand rows, `running`
the job, `files` where files lie, `services` what a person asks for.
"""
