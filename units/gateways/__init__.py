"""The only code that speaks HTTP to a WhatsApp provider.

It runs in threads that must never touch the ORM, so nothing in here imports a model.
"""
