"""A stand-in for Evolution API 2.3.6 with simulated phones: real HTTP on loopback, for demonstrations and
tests.

It speaks as the recordings in ``tests/evolution`` do and knows nothing that Evolution does not know. No
product code is imported here and no product code imports this package. State lives in the memory of one
process.

    granian --interface asgi --workers 1 sandbox.app:app
"""
