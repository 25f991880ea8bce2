"""A second app that makes tasks, for the tests: its runs leave a countable effect, or misbehave as
they are told."""
