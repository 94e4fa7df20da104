"""What authors of policies ask before they switch them on: is it right, what changes, what was."""
