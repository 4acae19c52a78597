"""Measurements, whose numbers are written into documents by the scripts that measure."""
