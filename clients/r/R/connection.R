# The driver, and a person's connection to one project.

setClass("IdsDriver", contains = "DBIDriver")
setClass("IdsConnection",
  contains = "DBIConnection",
  slots = list(url = "character", project = "character", certificate = "character", bigint = "character",
               state = "environment")
)

# The driver: dbConnect(IDS(), url, token = , project = , certificate = )
IDS <- function() new("IdsDriver")

setMethod("show", "IdsDriver", function(object) cat("<IdsDriver>\n"))
setMethod("dbUnloadDriver", "IdsDriver", function(drv, ...) invisible(TRUE))
setMethod("dbDataType", "IdsDriver", function(dbObj, obj, ...) sql_type(obj))
setMethod("dbDataType", "IdsConnection", function(dbObj, obj, ...) sql_type(obj))
setMethod("dbIsValid", "IdsDriver", function(dbObj, ...) TRUE)
setMethod("dbGetInfo", "IdsDriver", function(dbObj, ...) {
  list(driver.version = as.character(utils::packageVersion("idsr")), client.version = "1")
})

sql_type <- function(obj) {
  if (is.data.frame(obj)) return(vapply(obj, sql_type, ""))
  if (inherits(obj, "integer64")) return("BIGINT")
  if (inherits(obj, "Date")) return("DATE")
  if (inherits(obj, "POSIXct")) return("TIMESTAMP")
  switch(typeof(obj), logical = "BOOLEAN", integer = "INTEGER", double = "DOUBLE", "VARCHAR")
}

setMethod("dbConnect", "IdsDriver", function(
    drv, url, token = Sys.getenv("IDS_TOKEN"), project, certificate = "", bigint = "integer64", ...) {
  state <- new.env(parent = emptyenv())
  state$token <- token
  state$open <- TRUE
  conn <- new("IdsConnection",
    url = sub("/+$", "", url), project = project, certificate = certificate, bigint = bigint, state = state
  )
  state$person <- said(send(conn, "GET", "me"))$person
  conn
})

setMethod("dbDisconnect", "IdsConnection", function(conn, ...) {
  conn@state$open <- FALSE
  conn@state$token <- ""
  invisible(TRUE)
})
setMethod("dbIsValid", "IdsConnection", function(dbObj, ...) dbObj@state$open)
setMethod("dbGetInfo", "IdsConnection", function(dbObj, ...) {
  list(dbname = dbObj@project, username = dbObj@state$person, host = dbObj@url, port = NA, db.version = "1")
})
setMethod("show", "IdsConnection", function(object) {
  cat("<IdsConnection> project", object@project, "at", object@url, "\n")
})

tables <- function(conn) said(send(conn, "GET", "tables"), simplifyDataFrame = FALSE)

setMethod("dbListTables", "IdsConnection", function(conn, ...) vapply(tables(conn), `[[`, "", "name"))
setMethod("dbExistsTable", signature("IdsConnection", "character"), function(conn, name, ...) {
  tolower(name) %in% tolower(dbListTables(conn))
})
setMethod("dbListFields", signature("IdsConnection", "character"), function(conn, name, ...) {
  found <- Filter(function(t) tolower(t$name) == tolower(name), tables(conn))
  if (!length(found)) stop("This project has no such table.", call. = FALSE)
  vapply(found[[1]]$columns, `[[`, "", "name")
})
setMethod("dbWriteTable", signature("IdsConnection", "character", "data.frame"), function(conn, name, value, ...) {
  stop("Nothing is written through the gateway: only SELECT statements may run.", call. = FALSE)
})

# Datasets of the catalogue in which every word occurs.
ids_search <- function(conn, words = "") {
  said(send(conn, "POST", "catalogue/search", body = list(words = words)))
}

# The catalogue's entry of a dataset.
ids_describe <- function(conn, dataset) said(send(conn, "GET", paste0("catalogue/", dataset)))

# How far an answer depends on links: rows, by_threshold, unseen.
ids_sensitivity <- function(conn, sql, draws = 20) {
  said(send(conn, "POST", "sensitivity", body = list(sql = sql, draws = draws)))
}

# Ask for results of queries (ids of ids_query_id) to leave; where that stands. files: tables, pictures or
# texts that were made from those results in R, asked for instead; two reviewers decide about them.
ids_request_release <- function(conn, queries, title, purpose = "", files = character()) {
  brought <- lapply(files, function(file) {
    list(name = basename(file), content = jsonlite::base64_enc(readBin(file, "raw", file.size(file))))
  })
  body <- list(queries = as.list(queries), title = title, purpose = purpose, files = brought)
  said(send(conn, "POST", "outputs", body = body))
}
