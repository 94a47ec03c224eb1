"""What changes in a unit, posted to programs that asked for it (docs/outgoing-webhooks.md)."""
