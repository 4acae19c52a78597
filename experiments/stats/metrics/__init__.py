"""Figures of one judge: accuracy, AUROC, correlation, precision and recall, calibration. Arrays in, numbers out."""
