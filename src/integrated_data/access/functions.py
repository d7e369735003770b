"""Functions and table functions that a query may use: nothing else is known to the gate.

Every one is pure: it reads its arguments and nothing of the process, the catalogue or a file. Left
out on purpose, beside all that reads or writes: `query`, `query_table`, `getenv`, `getvariable`,
`current_setting`, `stats` (reads column statistics), `error` (writes a value into a message), `nextval`,
`list_aggregate` (calls a function by a name in a string), `sleep_ms` and `write_log`.
"""


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


OPERATORS = words(
    """
    + - * / // % ** ^ & | ~ << >> && || <-> <=> @> <@ ^@ ~~ !~~ ~~* !~~* ~~~ ->> @ !__postfix
    like_escape not_like_escape ilike_escape not_ilike_escape
    """
)

NUMBERS = words(
    """
    abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees
    divide even exp factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf
    isnan lcm least least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power
    radians random round round_even roundbankers setseed sign signbit sin sinh sqrt subtract tan tanh
    trunc xor equi_width_bins
    """
)

TEXTS = words(
    """
    array_to_string ascii bar base64 bin bit_length char_length character_length chr concat concat_ws
    contains damerau_levenshtein editdist3 encode ends_with format format_bytes formatreadablesize
    formatreadabledecimalsize from_base64 from_hex hamming hex instr jaccard jaro_similarity
    jaro_winkler_similarity lcase left left_grapheme len length length_grapheme levenshtein lower lpad
    ltrim md5 md5_number mismatches nfc_normalize octet_length ord position prefix printf regexp_escape
    regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace
    regexp_split_to_array repeat replace reverse right right_grapheme rpad rtrim sha1 sha256 split
    split_part starts_with str_split str_split_regex string_split string_split_regex string_to_array
    strip_accents strlen strpos substr substring substring_grapheme suffix to_base64 to_hex to_binary
    translate trim ucase unhex unicode upper overlay
    """
)

DATES = words(
    """
    age ago century current_date current_localtime current_localtimestamp date_add date_diff date_part
    date_sub date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear
    days_in_month decade epoch epoch_ms epoch_ns epoch_us era get_current_time get_current_timestamp
    hour isodow isoyear julian last_day make_date make_time make_timestamp make_timestamp_ms
    make_timestamp_ns make_timestamptz microsecond millennium millisecond minute month monthname
    nanosecond normalized_interval now quarter second strftime strptime time_bucket timezone
    timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia
    to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years today
    transaction_timestamp try_strptime week weekday weekofyear year yearweek
    """
)

CHOICES = words(
    """
    alias coalesce constant_or_null hash if ifnull nullif typeof switch enum_code enum_first enum_last
    enum_range enum_range_boundary gen_random_uuid uuid
    """
)

NESTED = words(
    """
    apply array_append array_apply array_cat array_concat array_contains array_cosine_distance
    array_cosine_similarity array_cross_product array_distance array_distinct array_dot_product
    array_extract array_filter array_has array_has_all array_has_any array_indexof array_inner_product
    array_intersect array_length array_pop_back array_pop_front array_position array_prepend
    array_push_back array_push_front array_reduce array_resize array_reverse array_reverse_sort
    array_select array_slice array_sort array_transform array_unique array_value array_where array_zip
    cardinality element_at filter flatten generate_series generate_subscripts grade_up list_any_value
    list_append list_apply list_approx_count_distinct list_avg list_bool_and list_bool_or list_cat
    list_concat list_contains list_cosine_distance list_cosine_similarity list_count list_distance
    list_distinct list_dot_product list_element list_entropy list_extract list_filter list_first
    list_grade_up list_has list_has_all list_has_any list_histogram list_indexof list_inner_product
    list_intersect list_kurtosis list_last list_mad list_max list_median list_min list_mode list_pack
    list_position list_prepend list_product list_reduce list_resize list_reverse list_reverse_sort
    list_select list_sem list_skewness list_slice list_sort list_stddev_pop list_stddev_samp
    list_string_agg list_sum list_transform list_unique list_value list_var_pop list_var_samp list_where
    list_zip map map_concat map_contains map_contains_entry map_contains_value map_entries map_extract
    map_extract_value map_from_entries map_keys map_values range reduce row struct_concat
    struct_contains struct_extract struct_extract_at struct_has struct_indexof struct_insert struct_keys
    struct_pack struct_position struct_update struct_values union_extract union_tag union_value unnest
    unpivot_list
    """
)

JSON = words(
    """
    from_json from_json_strict json json_array json_array_length json_contains json_exists json_extract
    json_extract_path json_extract_path_text json_extract_string json_group_array json_group_object
    json_keys json_merge_patch json_object json_pretty json_quote json_structure json_transform
    json_transform_strict json_type json_valid json_value array_to_json row_to_json to_json
    """
)

AGGREGATES = words(
    """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max arg_max_null
    arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax argmin array_agg avg bit_and
    bit_or bit_xor bitstring_agg bool_and bool_or corr count count_if count_star countif covar_pop
    covar_samp entropy favg first fsum geomean geometric_mean group_concat histogram histogram_exact
    kahan_sum kurtosis kurtosis_pop last list listagg mad max max_by mean median min min_by mode product
    quantile quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2
    regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile sem skewness stddev stddev_pop stddev_samp
    string_agg sum sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg
    """
)

WINDOWS = words(
    """
    row_number rank dense_rank rank_dense percent_rank cume_dist ntile lag lead first_value last_value
    nth_value fill first last
    """
)

#: Of the spatial extension, which a worker loads when a query names one of them. Left out: those that read
#: files or list drivers (`st_read` and its like), and `st_generatepoints`.
SPATIAL = words(
    """
    st_affine st_area st_area_spheroid st_asbinary st_asgeojson st_ashexwkb st_assvg st_astext st_aswkb st_aswkt
    st_azimuth st_boundary st_buffer st_buildarea st_centroid st_closestpoint st_collect st_collectionextract
    st_concavehull st_contains st_containsproperly st_convexhull st_coverageunion st_coverageunion_agg st_coveredby
    st_covers st_crosses st_difference st_dimension st_disjoint st_distance st_distance_sphere
    st_distance_spheroid st_dump st_dwithin st_dwithin_spheroid st_endpoint st_envelope st_envelope_agg st_equals
    st_expand st_extent st_extent_agg st_exteriorring st_flipcoordinates st_force2d st_geometrytype
    st_geomfromgeojson st_geomfromhexewkb st_geomfromhexwkb st_geomfromtext st_geomfromwkb st_hilbert
    st_interiorringn st_intersection st_intersection_agg st_intersects st_intersects_extent st_isclosed st_isempty
    st_isring st_issimple st_isvalid st_length st_length_spheroid st_lineinterpolatepoint st_linelocatepoint
    st_linemerge st_linesubstring st_makebox2d st_makeenvelope st_makeline st_makepoint st_makepolygon
    st_makevalid st_maximuminscribedcircle st_minimumrotatedrectangle st_multi st_ngeometries
    st_ninteriorrings st_node st_normalize st_npoints st_numgeometries st_numinteriorrings st_numpoints
    st_overlaps st_perimeter st_perimeter_spheroid st_point st_point2d st_pointn st_pointonsurface st_points
    st_polygonize st_quadkey st_reduceprecision st_removerepeatedpoints st_reverse st_shortestline st_simplify
    st_simplifypreservetopology st_snap st_startpoint st_symdifference st_tileenvelope st_touches st_transform
    st_union st_union_agg st_voronoidiagram st_within st_withinproperly st_x st_xmax st_xmin st_y st_ymax st_ymin
    """
)

#: All that may stand where a value stands.
FUNCTIONS = OPERATORS | NUMBERS | TEXTS | DATES | CHOICES | NESTED | JSON | AGGREGATES | SPATIAL

#: All that may stand where a table stands.
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})
