"""Starts everything on one machine: embedded PostgreSQL and Valkey, and the processes of the product.

Nothing here imports Django: the launcher prepares the environment that settings are read from.
"""
