"""Dates as the rest of the product writes them, for pages that Django formats: the admin."""

DATE_FORMAT = "j M Y"
DATETIME_FORMAT = "j M Y H:i:s"
SHORT_DATETIME_FORMAT = "Y-m-d H:i"
