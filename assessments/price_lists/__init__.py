"""Importing the providers' public price lists as rows of a price book. Nothing here runs unless
``manage.py refresh_prices`` is called."""
