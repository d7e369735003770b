"""Engine adapters; only `site/` imports them."""
