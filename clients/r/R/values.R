# Rows as the gateway sends them, as columns of R. Types are Arrow's.

frame_of <- function(page, columns, bigint) {
  values <- lapply(seq_along(columns$name), function(i) {
    cells <- lapply(page$rows, function(row) row[[i]])
    column_of(cells, columns$type[[i]], bigint)
  })
  names(values) <- columns$name
  structure(values, class = "data.frame", row.names = .set_row_names(length(page$rows)))
}

column_of <- function(cells, type, bigint) {
  missing <- vapply(cells, is.null, NA)
  as_text <- function() {
    text <- rep(NA_character_, length(cells))
    text[!missing] <- vapply(cells[!missing], cell_text, "")
    text
  }
  if (grepl("^(int8|int16|int32|uint8|uint16)$", type)) return(as.integer(as_text()))
  if (grepl("^(int64|uint32|uint64)$", type)) return(whole(as_text(), bigint))
  if (grepl("^(halffloat|float|double|decimal)", type)) return(number(as_text()))
  if (type == "bool") return(as.logical(as_text()))
  if (grepl("^date", type)) return(as.Date(as_text()))
  if (grepl("^timestamp", type)) {
    return(as.POSIXct(sub("Z$", "", as_text()), format = "%Y-%m-%dT%H:%M:%OS", tz = "UTC"))
  }
  as_text()
}

cell_text <- function(cell) {
  if (is.list(cell) || length(cell) != 1) return(as.character(jsonlite::toJSON(cell, auto_unbox = TRUE, digits = NA)))
  if (is.numeric(cell)) format(cell, digits = 17, scientific = FALSE, trim = TRUE) else as.character(cell)
}

# Keys are whole numbers of 63 bits, which a double cannot hold.
whole <- function(text, bigint) {
  switch(bigint,
    integer64 = bit64::as.integer64(text),
    integer = as.integer(text),
    numeric = as.numeric(text),
    character = text,
    stop("bigint is integer64, integer, numeric or character.", call. = FALSE)
  )
}

number <- function(text) {
  text[text == "Infinity"] <- "Inf"
  text[text == "-Infinity"] <- "-Inf"
  as.numeric(text)
}

bind <- function(parts) {
  if (length(parts) == 1) return(parts[[1]])
  columns <- lapply(seq_along(parts[[1]]), function(i) do.call(c, lapply(parts, `[[`, i)))
  names(columns) <- names(parts[[1]])
  rows <- sum(vapply(parts, nrow, 0L))
  structure(columns, class = "data.frame", row.names = .set_row_names(rows))
}
