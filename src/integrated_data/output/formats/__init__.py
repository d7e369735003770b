"""The forms in which an edition is published: CSV, Excel, ODS, Vega-Lite, a static page, SDMX-CSV.

All of them are written from one `Publication`, which holds what `table.csv` holds and nothing more, so
that they cannot say different things.
"""
