"""Figures of one judge: accuracy, AUROC, correlation, precision, recall, calibration, steps. Arrays in, numbers out."""
