"""The serving doors: HTTP and Arrow Flight SQL, in the analysis process, with one desk behind them."""
