"""The live view: the samplers of a recording, their rows kept for some seconds instead of written to a journal."""
