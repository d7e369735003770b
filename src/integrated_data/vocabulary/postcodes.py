"""United Kingdom postcodes: their pattern (BS 7666) and one way of writing them, as SQL."""

#: A whole postcode without its space, upper case.
PATTERN = (
    r"GIR0AA|([A-PR-UWYZ][0-9]{1,2}|[A-PR-UWYZ][A-HK-Y][0-9]{1,2}|[A-PR-UWYZ][0-9][A-HJKPSTUW]"
    r"|[A-PR-UWYZ][A-HK-Y][0-9][ABEHMNPRVWXY])[0-9][ABD-HJLNP-UW-Z]{2}"
)


def bare_sql(value: str) -> str:
    """Upper case without spaces."""
    return f"replace(upper({value}), ' ', '')"


def postcode_sql(value: str) -> str:
    """`AB1 2CD`: upper case, one space before the last three; shorter or longer text stays as it is."""
    bare = bare_sql(value)
    return (
        f"CASE WHEN length({bare}) BETWEEN 5 AND 7 THEN left({bare}, -3) || ' ' || right({bare}, 3) "
        f"ELSE nullif({bare}, '') END"
    )


def is_postcode_sql(value: str) -> str:
    """Whether text is a whole postcode by pattern."""
    return f"regexp_full_match({bare_sql(value)}, '{PATTERN}')"
