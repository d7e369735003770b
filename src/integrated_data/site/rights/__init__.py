"""The rights of people whom data are about: found, shown, corrected, left out, taken out, each with a signed proof."""
