# A question and its rows, page by page.

setClass("IdsResult", contains = "DBIResult", slots = list(conn = "IdsConnection", sql = "character", state = "environment"))

PAGE <- 50000L

setMethod("dbSendQuery", signature("IdsConnection", "character"), function(conn, statement, ...) {
  if (length(list(...)) && !is.null(list(...)$params)) {
    stop("Questions take no parameters. Write the values into the SELECT.", call. = FALSE)
  }
  asked(conn, "queries", list(sql = as.character(statement)))
})

# Puts a question, waits until it is answered, and gives its result; stopping R stops it.
asked <- function(conn, path, body) {
  taken <- said(send(conn, "POST", path, body = body, headers = list(prefer = "respond-async")))
  done <- FALSE
  on.exit(if (!done) try(send(conn, "DELETE", paste0("queries/", taken$query)), silent = TRUE))
  pause <- 0.05
  repeat {
    status <- said(send(conn, "GET", paste0("queries/", taken$query)))
    if (!status$stage %in% c("waiting", "running")) break
    Sys.sleep(pause)
    pause <- min(2, pause * 1.5)
  }
  if (status$stage != "done") stop(status$reason, call. = FALSE)
  done <- TRUE
  state <- new.env(parent = emptyenv())
  state$id <- taken$query
  state$columns <- status$columns
  state$following <- ""
  state$buffer <- NULL
  state$fetched <- 0L
  state$open <- TRUE
  new("IdsResult", conn = conn, sql = body$sql, state = state)
}

setMethod("dbSendStatement", signature("IdsConnection", "character"), function(conn, statement, ...) {
  stop("Only SELECT statements may run.", call. = FALSE)
})

# Reads pages until there are n rows, or all where n is negative.
setMethod("dbFetch", "IdsResult", function(res, n = -1, ...) {
  state <- res@state
  if (!state$open) stop("The result was let go of.", call. = FALSE)
  if (is.null(n) || is.na(n) || is.infinite(n)) n <- -1
  parts <- list(state$buffer)
  have <- if (is.null(state$buffer)) 0L else nrow(state$buffer)
  while ((n < 0 || have < n || is.null(parts[[1]])) && !is.null(state$following)) {
    page <- next_page(res)
    parts <- c(Filter(Negate(is.null), parts), list(page))
    have <- have + nrow(page)
  }
  all <- bind(Filter(Negate(is.null), parts))
  take <- if (n < 0) have else min(n, have)
  state$buffer <- all[seq_len(have - take) + take, , drop = FALSE]
  state$fetched <- state$fetched + as.integer(take)
  out <- all[seq_len(take), , drop = FALSE]
  row.names(out) <- NULL
  out
})

next_page <- function(res) {
  state <- res@state
  got <- send(res@conn, "GET", paste0("queries/", state$id, "/rows"),
    headers = list(prefer = paste0("maxpagesize=", PAGE)),
    query = if (nzchar(state$following)) state$following
  )
  state$following <- header(got, "x-ids-next-page")
  frame_of(said(got, simplifyVector = FALSE), state$columns, res@conn@bigint)
}

setMethod("dbHasCompleted", "IdsResult", function(res, ...) {
  is.null(res@state$following) && !is.null(res@state$buffer) && !nrow(res@state$buffer)
})
setMethod("dbClearResult", "IdsResult", function(res, ...) {
  if (res@state$open) try(send(res@conn, "DELETE", paste0("queries/", res@state$id)), silent = TRUE)
  res@state$open <- FALSE
  invisible(TRUE)
})
setMethod("dbIsValid", "IdsResult", function(dbObj, ...) dbObj@state$open)
setMethod("dbColumnInfo", "IdsResult", function(res, ...) {
  data.frame(name = res@state$columns$name, type = res@state$columns$type)
})
setMethod("dbGetStatement", "IdsResult", function(res, ...) res@sql)
setMethod("dbGetRowCount", "IdsResult", function(res, ...) res@state$fetched)
setMethod("dbGetRowsAffected", "IdsResult", function(res, ...) 0L)
setMethod("show", "IdsResult", function(object) cat("<IdsResult>", object@state$id, "\n"))

# A model that the service fits over the rows of a query: ids_estimate(con, "linear", income ~ age + region,
# data = "SELECT …"). More: weights, stratum, cluster (columns), level, width, step.
ids_estimate <- function(conn, estimator, formula, data, ...) {
  text <- if (inherits(formula, "formula")) paste(deparse(formula, width.cutoff = 500), collapse = " ") else formula
  res <- asked(conn, "estimates", c(list(estimator = estimator, formula = text, sql = data), list(...)))
  on.exit(dbClearResult(res))
  structure(dbFetch(res), query = ids_query_id(res))
}

# The id of a question or an estimate at the service, to ask for its result to leave.
ids_query_id <- function(res) if (is.data.frame(res)) attr(res, "query") else res@state$id
