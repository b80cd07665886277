"""OTX: the client of its REST API, the reading of its JSON, and a local simulator. Answers in, model out."""
