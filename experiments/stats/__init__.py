"""Judges on trial: agreement, calibration, reliability, biases and confounds, all read from one table of rows."""
