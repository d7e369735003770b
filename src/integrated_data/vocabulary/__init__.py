"""The trade's shared know-how: detectors, cleaning and formatting as SQL text; pure functions."""
