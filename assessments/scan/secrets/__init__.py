"""Finds secrets in text: by name (``password = ...``), by form (a token's prefix), and by place
(a Kubernetes Secret). Plain functions on text; nothing here keeps or prints a value."""
