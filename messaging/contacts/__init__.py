"""What a unit knows of its contacts: consent, tags, attributes, segments."""
