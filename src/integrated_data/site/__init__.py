"""Wiring: settings, the loading process, the analysis process."""
