"""One file for each kind of scope: how it is found, and what it is built from."""
