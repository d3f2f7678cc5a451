"""Fetching what a request names by its address."""
