"""A second app that defines tasks, for the tests: its runs leave a countable effect, or misbehave
as instructed."""
