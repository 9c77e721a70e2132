"""Calibration of a finished model for policies that look into it: alignment heads and the regret head."""
