"""The parts of the local OTX: its feed, its API, its misbehaviours, and the HTTP below."""
