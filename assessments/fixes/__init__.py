"""Proven fixes: edits of the uploaded lines, each scanned again before anyone sees it.

``recipes`` defines which rules have a fix and what it changes, ``edit`` applies it to the text,
``prove`` scans copies with the edits and keeps those that remove their findings and add none.
"""
