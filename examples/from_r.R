# The protocol, and a small secure federated training, from R:
#
#     Rscript examples/from_r.R
#
# RETICULATE_PYTHON names the Python that `secagg[fl]` is installed for.

library(reticulate)

np <- import("numpy", convert = FALSE)
secagg <- import("secagg", convert = FALSE) # words stay words until `numbers` reads them
numbers <- function(words) py_to_r(words$astype("float64")$tolist())

# The sum of five private vectors; client 92 is gone before it sends its own.
# Ids and counts are whole numbers: 5L, not 5. A vector is an array of uint32.

private <- list(`3` = c(3L, 30L, 1e9L), `14` = c(14L, 140L, 1e9L), `15` = c(15L, 150L, 1e9L),
                `92` = c(92L, 920L, 1e9L), `65` = c(65L, 650L, 1e9L))
ids <- as.integer(names(private))
inputs <- py_dict(ids, lapply(private, function(x) np$array(x, dtype = "uint32")))

params <- secagg$Params(5L, list(secagg$VectorSpec("update", length = 3L, bits = 32L)))
result <- secagg$run(params, inputs, drop = py_dict(list(92L), list(2L)))

cat("sum      ", sprintf("%.0f", numbers(result$sum)), "\n")
cat("survivors", unlist(py_to_r(result$survivors)), "\n")

# A refusal is an R error; its message begins with the Python class.

lost <- tryCatch(
  secagg$run(params, inputs, drop = py_dict(list(3L, 14L), list(1L, 1L))),
  error = function(error) conditionMessage(error)
)
cat("refused  ", trimws(lost), "\n")

# Federated averaging: iris, dealt to five clients; R's data frame, Keras's model, a secure sum.

fl <- import("fl")
keras <- import("keras")

set.seed(1)
dealt <- split(iris[sample(nrow(iris)), ], rep(1:5, length.out = nrow(iris)))
matrix_of <- function(x) { # by rows: reticulate up to 1.28 cannot hand a matrix to NumPy 2
  np$array(as.vector(t(x)), dtype = "float32")$reshape(tuple(nrow(x), ncol(x)))
}
client <- function(rows) {
  x <- sweep(as.matrix(rows[, 1:4]), 2, colMeans(iris[, 1:4]))
  tuple(matrix_of(x), np$array(as.integer(rows$Species) - 1L, dtype = "int32"))
}
clients <- unname(lapply(dealt, client))

model_fn <- function() {
  model <- keras$Sequential(list(keras$Input(tuple(4L)), keras$layers$Dense(3L)))
  model$compile(
    optimizer = keras$optimizers$SGD(0.1),
    loss = keras$losses$SparseCategoricalCrossentropy(from_logits = TRUE),
    metrics = list("accuracy")
  )
  model
}

keras$utils$set_random_seed(1L)
process <- fl$build_weighted_fed_avg(model_fn, batch_size = 10L) # the sum is secure
state <- process$initialize()
for (round in 1:10) {
  step <- process$`next`(state, clients, dropouts = py_dict(list(1L), list(3L)))
  state <- step$state
  train <- step$metrics$client_work$train
  if (round %in% c(1, 2, 5, 10)) {
    cat(sprintf("round %2d  loss %.3f  accuracy %.3f  from %d examples\n",
                round, train$loss, train$accuracy, as.integer(train$num_examples)))
  }
}
