# dplyr verbs become SQL that the gate lets through.

dbplyr_edition.IdsConnection <- function(con) 2L

db_connection_describe.IdsConnection <- function(con, ...) paste0("project ", con@project, " at ", con@url)

sql_translation.IdsConnection <- function(con) {
  scalar <- dbplyr::sql_translator(
    .parent = dbplyr::base_scalar,
    as.integer = dbplyr::sql_cast("INTEGER"),
    as.integer64 = dbplyr::sql_cast("BIGINT"),
    as.numeric = dbplyr::sql_cast("DOUBLE"),
    as.double = dbplyr::sql_cast("DOUBLE"),
    as.character = dbplyr::sql_cast("VARCHAR"),
    as.Date = dbplyr::sql_cast("DATE"),
    year = dbplyr::sql_prefix("year", 1),
    month = dbplyr::sql_prefix("month", 1),
    str_detect = dbplyr::sql_prefix("regexp_matches", 2),
    grepl = function(pattern, x) dbplyr::build_sql("regexp_matches(", x, ", ", pattern, ")", con = con),
    paste0 = dbplyr::sql_prefix("concat")
  )
  aggregate <- dbplyr::sql_translator(
    .parent = dbplyr::base_agg,
    sd = dbplyr::sql_aggregate("stddev_samp", "sd"),
    var = dbplyr::sql_aggregate("var_samp", "var"),
    median = dbplyr::sql_aggregate("median"),
    n_distinct = function(x) dbplyr::build_sql("COUNT(DISTINCT ", x, ")", con = con),
    cor = dbplyr::sql_aggregate_2("corr")
  )
  window <- dbplyr::sql_translator(
    .parent = dbplyr::base_win,
    sd = dbplyr::win_aggregate("stddev_samp"),
    var = dbplyr::win_aggregate("var_samp"),
    median = dbplyr::win_aggregate("median")
  )
  dbplyr::sql_variant(scalar, aggregate, window)
}
