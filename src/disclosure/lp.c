/* lp.c - see lp.h. The solver is another program: it gets a file and leaves a file, in a folder of
 * its own that is removed afterwards. It sees what is printed and nothing else. */
#include "disclosure/lp.h"

#include "base/alloc.h"
#include "base/io.h"

#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TERMS_A_LINE = 12 };
#define SECONDS_A_QUESTION "10"

extern char **environ;

/* ---- writing --------------------------------------------------------------------------------- */

static void put_rules(hd_buf *out, const hd_system *s)
{
    for (size_t r = 0; r < s->n_rules; r++) {
        hd_buf_printf(out, " r%zu: x%" PRIu32, r, s->parent[r]);
        for (size_t i = s->start[r]; i < s->start[r + 1]; i++)
            hd_buf_printf(out, "%s - x%" PRIu32,
                          (i - s->start[r]) % TERMS_A_LINE == TERMS_A_LINE - 1 ? "\n " : "",
                          s->child[i]);
        hd_buf_str(out, " = 0\n");
    }
}

static void put_bounds(hd_buf *out, const hd_system *s)
{
    for (size_t c = 0; c < s->n_cells; c++) {
        bool has_low = s->low[c] > -HD_NO_BOUND, has_high = s->high[c] < HD_NO_BOUND;
        if (has_low && has_high && s->low[c] == s->high[c])
            hd_buf_printf(out, " x%zu = %" PRId64 "\n", c, s->low[c]);
        else if (has_low && has_high)
            hd_buf_printf(out, " %" PRId64 " <= x%zu <= %" PRId64 "\n", s->low[c], c, s->high[c]);
        else if (has_low)
            hd_buf_printf(out, " x%zu >= %" PRId64 "\n", c, s->low[c]);
        else if (has_high)
            hd_buf_printf(out, " -inf <= x%zu <= %" PRId64 "\n", c, s->high[c]);
        else
            hd_buf_printf(out, " x%zu free\n", c);
    }
}

void hd_lp_write(hd_buf *out, const hd_system *s, uint32_t cell, bool is_largest,
                 const char *comments)
{
    hd_buf_str(out, comments);
    hd_buf_printf(out, "%s\n value: x%" PRIu32 "\nSubject To\n",
                  is_largest ? "Maximize" : "Minimize", cell);
    if (s->n_rules == 0) /* the format wants one */
        hd_buf_printf(out, " r0: x0 >= %" PRId64 "\n", s->low[0] > -HD_NO_BOUND ? s->low[0] : 0);
    put_rules(out, s);
    hd_buf_str(out, "Bounds\n");
    put_bounds(out, s);
    hd_buf_str(out, "General\n");
    for (size_t c = 0; c < s->n_cells; c++)
        hd_buf_printf(out, " x%zu%s", c, c % TERMS_A_LINE == TERMS_A_LINE - 1 ? "\n" : "");
    hd_buf_str(out, "\nEnd\n");
}

/* ---- asking ---------------------------------------------------------------------------------- */

struct hd_lp_solver {
    char folder[PATH_MAX], problem[PATH_MAX + 16], solution[PATH_MAX + 16];
};

static hd_code run_glpsol(char *const *argv, int *status, hd_err *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return hd_fail_nomem(err);
    int rc = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawnp(&pid, "glpsol", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    *status = 127;
    if (rc != 0)
        return HD_OK; /* not installed */
    int raw;
    if (waitpid(pid, &raw, 0) != pid)
        return hd_fail_os(err, "cannot wait for glpsol");
    *status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 127;
    return HD_OK;
}

hd_code hd_lp_solver_open(hd_lp_solver **out, hd_err *err)
{
    char *version[] = {"glpsol", "--version", NULL};
    const char *top = getenv("TMPDIR");
    int status;
    *out = NULL;
    HD_TRY(run_glpsol(version, &status, err));
    if (status != 0)
        return HD_OK;
    hd_lp_solver *v = hd_calloc(1, sizeof *v);
    if (!v)
        return hd_fail_nomem(err);
    int n = snprintf(v->folder, sizeof v->folder, "%s/hdis-lp-XXXXXX", top && *top ? top : "/tmp");
    if (n < 0 || (size_t)n >= sizeof v->folder || !mkdtemp(v->folder)) {
        hd_free(v);
        return hd_fail_os(err, "cannot make a folder for the solver (TMPDIR)");
    }
    snprintf(v->problem, sizeof v->problem, "%s/problem.lp", v->folder);
    snprintf(v->solution, sizeof v->solution, "%s/solution", v->folder);
    *out = v;
    return HD_OK;
}

void hd_lp_solver_close(hd_lp_solver *v)
{
    if (!v)
        return;
    unlink(v->problem);
    unlink(v->solution);
    rmdir(v->folder);
    hd_free(v);
}

/* The line "s mip ROWS COLUMNS STATUS VALUE" of a solution. */
static hd_code read_solution(const char *path, hd_lp_answer *answer, int64_t *value, hd_err *err)
{
    char *text;
    size_t len;
    double x = 0;
    char status = 'u';
    HD_TRY(hd_io_read_file(path, (size_t)1 << 30, &text, &len, err));
    const char *line = strstr(text, "\ns mip ");
    if (line && sscanf(line, "\ns mip %*s %*s %c %lf", &status, &x) < 1)
        status = 'u';
    hd_free(text);
    *answer = status == 'o' ? HD_LP_FOUND : status == 'n' ? HD_LP_NONE : HD_LP_SILENT;
    *value = (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
    return HD_OK;
}

hd_code hd_lp_solver_ask(hd_lp_solver *v, const hd_system *s, uint32_t cell, bool is_largest,
                         hd_lp_answer *answer, int64_t *value, hd_err *err)
{
    char *argv[] = {"glpsol", "--lp",    v->problem,         "-w", v->solution,
                    "--tmlim", SECONDS_A_QUESTION, NULL};
    hd_code rc;
    int status;
    hd_buf b;
    hd_buf_init(&b, (size_t)1 << 32);
    *answer = HD_LP_SILENT;
    hd_lp_write(&b, s, cell, is_largest, "");
    HD_GO(hd_buf_check(&b, err));
    HD_GO(hd_io_write_file(v->problem, b.data, b.len, 0600, err));
    HD_GO(hd_io_unlink(v->solution, err));
    HD_GO(run_glpsol(argv, &status, err));
    if (status == 0)
        HD_GO(read_solution(v->solution, answer, value, err));
out:
    hd_buf_free(&b);
    return rc;
}
