/* limit_option.c - see limit_option.h. */
#include "cli/limit_option.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

static atomic_bool stop; /* lock-free, so a handler may set it */

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

/* The second ^C ends the program at once: whatever it does then does not look at the flag. */
static void listen_to(int number)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

/* "512MB", "1.5GiB", "4GB", "100000000". */
static bool read_size(const char *text, uint64_t *out)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},           {"KB", 1e3},         {"MB", 1e6},         {"GB", 1e9},
                 {"KiB", 1u << 10}, {"MiB", 1u << 20},   {"GiB", 1u << 30},   {"TB", 1e12}};
    char *end;
    double n = strtod(text, &end);
    end += strspn(end, " ");
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcasecmp(end, units[i].name) == 0 && end != text && n > 0 &&
            n * units[i].bytes < 9e18) {
            *out = (uint64_t)(n * units[i].bytes);
            return true;
        }
    return false;
}

static const char *given(const char *option, const char *variable)
{
    const char *text = option ? option : getenv(variable);
    return text && *text ? text : NULL;
}

int hd_limit_option_read(const hd_command *c, const hd_limit_option *o, hd_engine_limits *out)
{
    const char *memory = given(o->memory, "HDIS_MEMORY_LIMIT");
    const char *time = given(o->time, "HDIS_TIME_LIMIT");
    *out = (hd_engine_limits){.stop = &stop};
    if (memory && (!read_size(memory, &out->memory_bytes) || out->memory_bytes < 64000000))
        return hd_usage_error(c, "--memory-limit is a size from 64MB on, as 512MB or 2GB");
    if (time) {
        char *end;
        double seconds = strtod(time, &end);
        if (end == time || *end || !(seconds >= 0.001 && seconds <= 1e6))
            return hd_usage_error(c, "--time-limit is a number of seconds, as 30 or 0.5");
        struct itimerval timer = {.it_value = {.tv_sec = (time_t)seconds}};
        timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
        listen_to(SIGALRM);
        setitimer(ITIMER_REAL, &timer, NULL);
    }
    listen_to(SIGINT);
    return HD_EXIT_OK;
}
