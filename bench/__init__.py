"""Benchmarks: each module has `run() -> bool`, which prints its table and says whether its marks were met.

The anchor runs beside ours, on the same input, in the same run; the median of five counts. Figures
compare by ratio, not between machines. What lacks its data prints a line that says so, and misses no mark.
"""
