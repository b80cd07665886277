"""What a collection holds: pure decisions, each with its reason."""
