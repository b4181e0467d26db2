#!/usr/bin/env Rscript
# stat_glm.R - R's glm and `hdis stat glm` on the same table: times, and the largest difference of a coefficient and
# of a standard error. Usage: bench/stat_glm.R [ROWS [TERMS]]; needs build/hdis.
args <- commandArgs(trailingOnly = TRUE)
rows <- if (length(args) > 0) as.integer(args[1]) else 200000L
terms <- if (length(args) > 1) as.integer(args[2]) else 30L
set.seed(1)
x <- matrix(round(rnorm(rows * terms), 3), rows)
colnames(x) <- paste0("x", seq_len(terms))
y <- rbinom(rows, 1, plogis(-2 + x %*% seq(-0.5, 0.5, length.out = terms)))
table <- tempfile(fileext = ".csv")
write.csv(data.frame(outcome = y, x), table, row.names = FALSE, quote = FALSE)
ours_file <- tempfile(fileext = ".csv")
ours_time <- system.time(stopifnot(system2("build/hdis", c("stat", "glm", "--in", table, "--out", ours_file,
  "--numeric", paste(colnames(x), collapse = ","))) == 0))["elapsed"]
theirs_time <- system.time({
  data <- read.csv(table)
  fit <- glm(outcome ~ ., binomial, data)
})["elapsed"]
ours <- read.csv(ours_file)
theirs <- summary(fit)$coefficients
cat(sprintf("%d rows, %d terms: hdis %.2f s, R %.2f s (%.1f times), coefficients differ by %.1e, errors by %.1e\n",
  rows, terms, ours_time, theirs_time, theirs_time / ours_time, max(abs(ours$estimate - theirs[, 1])),
  max(abs(ours$se - theirs[, 2]))))
