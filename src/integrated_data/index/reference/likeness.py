"""How alike two texts are by their words, rare words counting more, as SQL (DuckDB's dialect).

A text is a bag of words: rows (`aspect`, `number`, `word`), where `aspect` says what the text is
(a name, a place) and `number` whose it is. A word weighs its inverse document frequency in the
index (Spärck Jones, 1972), scaled so that the squares of one text's weights add up to 1; the
likeness of two texts is the sum of products over shared words, 0 to 1 (Salton, 1975). A word the
index does not know stands for the nearest one it knows, so that a misspelling costs little.
"""

#: Words of at least this many letters may be misspelled; shorter ones and numbers must be right.
MISSPELLABLE = 4
#: Letters from which two slips are allowed instead of one.
LONG = 7
#: How many of its rarest words a text looks for others by.
RAREST = 5
#: What each slip (a letter dropped, added, changed, or two swapped) takes off a word's weight.
SLIP = 0.15


def frequencies_sql(words: str) -> str:
    """How many texts of the index hold each word: `aspect`, `word`, `texts`."""
    return f"SELECT aspect, word, count(DISTINCT number) AS texts FROM {words} GROUP BY aspect, word"


def weighted_sql(words: str, frequencies: str, *, size: int, unknown: float = 1.0) -> str:
    """Words with weights: `aspect`, `number`, `word`, `texts` (of the index that hold it), `weight` and `rarity`.

    `words` has a column `trust` (0 to 1) that scales the weight; `size` is the number of texts in
    the index; `unknown` scales the weight of a word that none of them holds. `rarity` is 1 for a word
    that hardly any text holds and 0 for one that all hold.
    """
    return f"""
        SELECT aspect, number, word, texts,
               heavy / sqrt(sum(heavy * heavy) OVER (PARTITION BY aspect, number)) AS weight,
               ln(({size} + 2.0) / (texts + 1.0)) / ln({size} + 2.0) AS rarity
        FROM (SELECT w.aspect, w.number, w.word, coalesce(any_value(f.texts), 0) AS texts,
                     max(w.trust) * ln(({size} + 2.0) / (coalesce(any_value(f.texts), 0) + 1.0))
                     * CASE WHEN any_value(f.texts) IS NULL THEN {unknown} ELSE 1.0 END AS heavy
              FROM {words} AS w LEFT JOIN {frequencies} AS f ON f.aspect = w.aspect AND f.word = w.word
              GROUP BY w.aspect, w.number, w.word)"""


def corrected_sql(words: str, frequencies: str) -> str:
    """Words with those the index does not know replaced by the nearest it knows; adds `trust`.

    Of a pair (`12 HIGH`) the second half is corrected.
    """
    return f"""
        WITH missing AS (
            SELECT DISTINCT aspect, word FROM {words} AS w
            WHERE {misspellable_sql("word")}
              AND NOT EXISTS (SELECT 1 FROM {frequencies} AS f WHERE f.aspect = w.aspect AND f.word = w.word)),
        known AS (
            SELECT aspect, word, texts FROM {frequencies}
            WHERE {misspellable_sql("word", least=MISSPELLABLE - 1)}
              AND aspect IN (SELECT aspect FROM missing)),
        near AS (
            SELECT aspect, word, known, slips FROM (
                SELECT DISTINCT m.aspect, m.word, k.word AS known, k.texts,
                       damerau_levenshtein(m.word, k.word) AS slips
                FROM ({_shortened_sql("missing")}) AS m
                JOIN ({_shortened_sql("known")}) AS k ON k.aspect = m.aspect AND k.short = m.short)
            WHERE slips <= CASE WHEN length(word) >= {LONG} THEN 2 ELSE 1 END
            QUALIFY row_number() OVER (PARTITION BY aspect, word ORDER BY slips, texts DESC, known) = 1)
        SELECT w.aspect, w.number, coalesce(n.known, left(w.word, -length(p.word)) || p.known, w.word) AS word,
               1.0 - {SLIP} * coalesce(n.slips, p.slips, 0) AS trust
        FROM {words} AS w LEFT JOIN near AS n ON n.aspect = w.aspect AND n.word = w.word
        LEFT JOIN (SELECT word, min_by(known, slips) AS known, min(slips) AS slips FROM near GROUP BY word) AS p
          ON contains(w.word, ' ') AND p.word = split_part(w.word, ' ', -1)"""


def _shortened_sql(words: str) -> str:
    texts = "texts" if words == "known" else "0 AS texts"
    return f"SELECT aspect, word, {texts}, unnest({shortened_sql('word')}) AS short FROM {words}"


def shortened_sql(word: str) -> str:
    """A list: the word as it is and with each one of its letters left out (Garbe's symmetric delete, 2012)."""
    return (
        f"list_distinct(list_append(list_transform(range(1, length({word}) + 1), "
        f"lambda i: left({word}, i - 1) || substring({word}, i + 1)), {word}))"
    )


def misspellable_sql(word: str, *, least: int = MISSPELLABLE) -> str:
    """Whether a word is letters alone, and at least so many of them."""
    return f"length({word}) >= {least} AND regexp_full_match({word}, '[A-Z]+')"


def may_be_misspelt(word: str) -> bool:
    """The same of a value: see `misspellable_sql`."""
    return len(word) >= MISSPELLABLE and word.isascii() and word.isalpha() and word.isupper()


def allowed(word: str) -> int:
    """Slips that a word may have."""
    return 2 if len(word) >= LONG else 1


def slips(one: str, other: str) -> int:
    """Letters dropped, added, changed, or two swapped, from one word to the other (Damerau, 1964)."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != against))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def by_words_sql(left: str, right: str, *, aspect: str, common: int, top: int) -> str:
    """Candidates that share rare words: the `top` likeliest `number`s of `right` for each of `left`.

    Columns `record` and `form`. A text's rarest words look for others; those that more than `common`
    texts of the index hold bring nobody in.
    """
    rarest = (
        f"SELECT * FROM {left} WHERE aspect = '{aspect}' AND texts BETWEEN 1 AND {common} "
        f"QUALIFY row_number() OVER (PARTITION BY number ORDER BY weight DESC, word) <= {RAREST}"
    )
    return f"""
        SELECT record, form FROM (
            SELECT l.number AS record, r.number AS form, sum(l.weight * r.weight) AS likeness
            FROM ({rarest}) AS l JOIN {right} AS r ON r.aspect = l.aspect AND r.word = l.word
            GROUP BY l.number, r.number)
        QUALIFY row_number() OVER (PARTITION BY record ORDER BY likeness DESC, form) <= {top}"""


def by_key_sql(left: str, right: str, *, key: tuple[str, ...], crowded: int, also: str = "TRUE") -> str:
    """Candidates (`record`, `form`) with the same fields; a key of more forms than `crowded` brings nobody in.

    `also`: a condition over `l` and `r`.
    """
    fields = ", ".join(key)
    present = " AND ".join(f"{field} IS NOT NULL" for field in key)
    equal = " AND ".join(f"r.{field} = l.{field}" for field in key)
    crowds = f"SELECT {fields} FROM {right} WHERE {present} GROUP BY {fields} HAVING count(*) > {crowded}"
    return f"""
        SELECT l.number AS record, r.number AS form
        FROM (SELECT * FROM {left} ANTI JOIN ({crowds}) USING ({fields}) WHERE {present}) AS l
        JOIN {right} AS r ON {equal} WHERE {also}"""


def likeness_sql(pairs: str, *, left: str, right: str) -> str:
    """Likeness of pairs (`record`, `form`): one row per `aspect` in which they share a word.

    `within`: the share of the left text, by weight, that the right one holds; `told`: the rarity of
    the words they share, added up.
    """
    # the words of one side come first, or the engine would join all texts that share a common word
    return f"""
        WITH spelled AS MATERIALIZED (
            SELECT p.record, p.form, l.aspect, l.word, l.weight
            FROM {pairs} AS p JOIN {left} AS l ON l.number = p.record)
        SELECT p.record, p.form, p.aspect, least(sum(p.weight * r.weight), 1.0) AS likeness,
               least(sum(p.weight * p.weight), 1.0) AS within, sum(r.rarity) AS told
        FROM spelled AS p JOIN {right} AS r ON r.number = p.form AND r.aspect = p.aspect AND r.word = p.word
        GROUP BY p.record, p.form, p.aspect"""
