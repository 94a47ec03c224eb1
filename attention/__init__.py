"""What needs a person: found, shown, and told once (docs/attention.md)."""
