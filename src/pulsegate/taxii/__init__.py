"""The TAXII service: the only place with OpenTAXII. Its protocol, with our persistence, accounts and poll."""
