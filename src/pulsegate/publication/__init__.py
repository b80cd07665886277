"""Publication: which content block holds which indicator in which collection, under which label."""
