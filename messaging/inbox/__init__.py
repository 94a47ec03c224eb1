"""What people do with conversations besides answering: whose they are, where they stand, labels, notes."""
