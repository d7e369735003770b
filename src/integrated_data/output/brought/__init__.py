"""Files that somebody brings from Python or R to leave: what each holds is looked at before people see it."""
