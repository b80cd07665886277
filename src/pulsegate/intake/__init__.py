"""Taking pulses in, whoever brings them: cleaned, stored, claimed, and published in a run that leaves a record."""
