/* bench/figure.h -- one figure of a benchmark as every `make bench-...` writes it: {name, unit, ours, peer, peer_name, ratio, target, ok}. */
#ifndef TCS_BENCH_FIGURE_H
#define TCS_BENCH_FIGURE_H

#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct figure {
    const char *name, *unit;
    double ours, peer;     /* NaN: there is no peer */
    const char *peer_name;
    double ratio;          /* above 1: ours is better; NaN without a peer */
    double target;         /* NaN: none */
    bool ok;
} figure;

/* A ratio on a logarithmic line from 0.1 to 10: o is it, | is 1. */
enum { FIGURE_LINE = 21 };

static inline const char *figure_draw(double ratio, char line[FIGURE_LINE + 1])
{
    const double at = (log10(ratio) + 1) / 2 * (FIGURE_LINE - 1);
    memset(line, '.', FIGURE_LINE);
    line[FIGURE_LINE] = 0;
    line[FIGURE_LINE / 2] = '|';
    line[!(at > 0) ? 0 : at > FIGURE_LINE - 1 ? FIGURE_LINE - 1 : (int)(at + 0.5)] = 'o';
    return line;
}

/* Begins the object, so that a program can add keys of its own. */
static inline void figure_begin(tcsi_json_writer *writer, const figure *f)
{
    tcsi_json_begin_object(writer);
    tcsi_json_key(writer, "name");
    tcsi_json_string(writer, f->name);
    tcsi_json_key(writer, "unit");
    tcsi_json_string(writer, f->unit);
    tcsi_json_key(writer, "ours");
    tcsi_json_number(writer, f->ours);
    tcsi_json_key(writer, "peer");
    tcsi_json_number(writer, f->peer);
    tcsi_json_key(writer, "peer_name");
    tcsi_json_string(writer, isnan(f->peer) ? NULL : f->peer_name);
    tcsi_json_key(writer, "ratio");
    tcsi_json_number(writer, f->ratio);
    tcsi_json_key(writer, "target");
    tcsi_json_number(writer, f->target);
    tcsi_json_key(writer, "ok");
    tcsi_json_bool(writer, f->ok);
}

static inline void figure_write(tcsi_json_writer *writer, const figure *f)
{
    figure_begin(writer, f);
    tcsi_json_end_object(writer);
}

/* A figure that is better when it is smaller; target, peer: 0 for none. */
static inline figure figure_of_cost(const char *name, const char *unit, double ours, double peer, const char *peer_name, double target)
{
    const bool has_peer = peer > 0, has_target = target > 0;
    return (figure){ .name = name, .unit = unit, .ours = ours, .peer = has_peer ? peer : NAN, .peer_name = peer_name,
                     .ratio = has_peer ? peer / ours : NAN, .target = has_target ? target : NAN, .ok = !has_target || ours <= target };
}

#endif
