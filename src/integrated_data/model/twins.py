"""What synthetic twins are called: known on both sides of the wall."""

#: The project that is none, under which anybody who is signed in asks about twins.
TWINS = "twins"

#: What every result over twins says.
LABEL = "SYNTHETIC: made from rounded counts, column by column; no row of anybody, and no result"
