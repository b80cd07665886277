"""A TAXII 1.1 server of anybody, polled as a mail gateway polls it: what it gives, and what is wrong with it."""
