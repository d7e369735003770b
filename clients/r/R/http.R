# One request to the gateway, and what its refusals become.

send <- function(conn, method, path, body = NULL, headers = list(), query = NULL) {
  if (!conn@state$open) stop("The connection is closed. Connect again.", call. = FALSE)
  handle <- curl::new_handle(customrequest = method)
  if (nzchar(conn@certificate)) curl::handle_setopt(handle, cainfo = conn@certificate)
  given <- c(list(
    "authorization" = paste("Bearer", conn@state$token), "x-ids-project" = conn@project,
    "accept" = "application/json"
  ), list())
  given[names(headers)] <- headers
  if (!is.null(body)) {
    given[["content-type"]] <- "application/json"
    curl::handle_setopt(handle, postfields = as.character(jsonlite::toJSON(body, auto_unbox = TRUE)))
  }
  curl::handle_setheaders(handle, .list = given)
  url <- paste0(conn@url, "/v1/", path)
  if (!is.null(query)) url <- paste0(url, "?page=", curl::curl_escape(query))
  got <- tryCatch(
    curl::curl_fetch_memory(url, handle),
    error = function(e) stop("The service cannot be reached. Check its address and certificate.", call. = FALSE)
  )
  if (got$status_code >= 400) refuse(got)
  got
}

refuse <- function(got) {
  told <- tryCatch(jsonlite::fromJSON(rawToChar(got$content)), error = function(e) list())
  if (is.null(told$detail)) stop("This is not the service. Check its address.", call. = FALSE)
  parts <- c(told$detail, told$why, told$next_step)
  parts <- parts[nzchar(parts)]
  stop(paste0(sub("[.]$", "", parts), ".", collapse = " "), call. = FALSE)
}

said <- function(got, ...) {
  text <- rawToChar(got$content)
  Encoding(text) <- "UTF-8"
  jsonlite::fromJSON(text, bigint_as_char = TRUE, ...)
}

header <- function(got, name) curl::parse_headers_list(got$headers)[[name]]
