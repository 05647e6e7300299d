/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/votes.h"

#include "base/alloc.h"

#include <math.h>

enum { TURN_COUNT_MAX = 500 };

/* What is imagined of a source: so many utterances, this share of them right; who says normal, which most rows are anyway, must leave only
 * the rest of this share of the anomalies there are.  And of rows: this share is anomalous. */
static const double UTTERANCES = 10, RIGHT = 0.8, ROWS = 10, SHARE = 0.02;

/* Nobody always speaks, or never. */
static const double LEAST = 1e-9, MOST = 0.999;

static size_t pattern_count(const tcsi_votes *votes) { return (size_t)2 << votes->rule_count; }

size_t tcsi_votes_cell_count(const tcsi_votes *votes) { return 3 * pattern_count(votes); }

tcs_status tcsi_votes_init(tcsi_votes *votes, const tcsi_knowledge *knowledge, tcs_error *err)
{
    *votes = (tcsi_votes){ .rule_count = knowledge->rule_count };
    for (size_t r = 0; r < votes->rule_count; r++) votes->says_anomaly[r] = knowledge->rules[r].says_anomaly;
    votes->says_anomaly[votes->rule_count] = true;
    votes->counts = TCSI_NEW_ZEROS(uint64_t, tcsi_votes_cell_count(votes));
    votes->posterior = TCSI_NEW_ZEROS(double, pattern_count(votes));
    if (votes->counts && votes->posterior) return TCS_OK;
    tcsi_votes_deinit(votes);
    return tcsi_fail_memory(err, "votes of rules");
}

void tcsi_votes_deinit(tcsi_votes *votes)
{
    tcsi_free(votes->counts);
    tcsi_free(votes->posterior);
    *votes = (tcsi_votes){ 0 };
}

static size_t pattern_of(const tcsi_votes *votes, uint16_t spoken, bool detector_alarms)
{
    return (size_t)spoken | (size_t)detector_alarms << votes->rule_count;
}

void tcsi_votes_add(tcsi_votes *votes, uint16_t spoken, bool detector_alarms, tcsi_truth truth)
{
    votes->counts[(size_t)truth * pattern_count(votes) + pattern_of(votes, spoken, detector_alarms)]++;
}

static double imagined_right(const tcsi_votes *votes, size_t source)
{
    return votes->says_anomaly[source] ? RIGHT : 1 - (1 - RIGHT) * votes->share;
}

static double within(double value) { return value < LEAST ? LEAST : value > MOST ? MOST : value; }

/* How often each speaks on rows of either kind, from how often it speaks at all and is right. */
static void spread(tcsi_votes *votes, const double *rates)
{
    for (size_t j = 0; j <= votes->rule_count; j++) {
        const double anomalous = votes->says_anomaly[j] ? votes->accuracy[j] : 1 - votes->accuracy[j];
        votes->spoken_when[1][j] = within(rates[j] * anomalous / votes->share);
        votes->spoken_when[0][j] = within(rates[j] * (1 - anomalous) / (1 - votes->share));
    }
}

/* P(anomalous | pattern) for every pattern. */
static void expect(tcsi_votes *votes)
{
    for (size_t p = 0; p < pattern_count(votes); p++) {
        double odds = log(votes->share) - log1p(-votes->share);
        for (size_t j = 0; j <= votes->rule_count; j++) {
            const double normal = votes->spoken_when[0][j], anomalous = votes->spoken_when[1][j];
            odds += p >> j & 1 ? log(anomalous) - log(normal) : log1p(-anomalous) - log1p(-normal);
        }
        votes->posterior[p] = 1 / (1 + exp(-odds));
    }
}

/* Accuracies and the share from P(anomalous | pattern); returns by how much any of them moved. */
static double maximize(tcsi_votes *votes)
{
    const size_t count = pattern_count(votes);
    double anomalous = ROWS * SHARE, all = ROWS, right[TCSI_RULE_COUNT_MAX + 1], spoken[TCSI_RULE_COUNT_MAX + 1];
    for (size_t j = 0; j <= votes->rule_count; j++) {
        right[j] = UTTERANCES * imagined_right(votes, j);
        spoken[j] = UTTERANCES;
    }
    for (size_t p = 0; p < count; p++) {
        const double unknown = (double)votes->counts[p], normal = (double)votes->counts[count + p],
            known = (double)votes->counts[2 * count + p];
        const double rows = unknown + normal + known, bad = unknown * votes->posterior[p] + known;
        all += rows;
        anomalous += bad;
        for (size_t j = 0; j <= votes->rule_count; j++) {
            if (!(p >> j & 1)) continue;
            spoken[j] += rows;
            right[j] += votes->says_anomaly[j] ? bad : rows - bad;
        }
    }
    const double share = anomalous / all;
    double moved = fabs(share - votes->share);
    votes->share = share;
    for (size_t j = 0; j <= votes->rule_count; j++) {
        moved = fmax(moved, fabs(right[j] / spoken[j] - votes->accuracy[j]));
        votes->accuracy[j] = right[j] / spoken[j];
    }
    return moved;
}

void tcsi_votes_estimate(tcsi_votes *votes)
{
    double rates[TCSI_RULE_COUNT_MAX + 1], row_count = 0;
    for (size_t i = 0; i < tcsi_votes_cell_count(votes); i++) row_count += (double)votes->counts[i];
    votes->share = SHARE;
    for (size_t j = 0; j <= votes->rule_count; j++) {
        votes->accuracy[j] = imagined_right(votes, j);
        rates[j] = (double)tcsi_votes_spoken_count(votes, j) / fmax(row_count, 1);
    }
    for (size_t turn = 0; turn < TURN_COUNT_MAX; turn++) {
        spread(votes, rates);
        expect(votes);
        if (maximize(votes) < 1e-9) break;
    }
    spread(votes, rates);
    expect(votes);
}

double tcsi_votes_accuracy(const tcsi_votes *votes, size_t source) { return votes->accuracy[source]; }

uint64_t tcsi_votes_spoken_count(const tcsi_votes *votes, size_t source)
{
    uint64_t count = 0;
    for (size_t i = 0; i < tcsi_votes_cell_count(votes); i++) count += i >> source & 1 ? votes->counts[i] : 0;
    return count;
}

double tcsi_votes_probability(const tcsi_votes *votes, uint16_t spoken, bool detector_alarms)
{
    return votes->posterior[pattern_of(votes, spoken, detector_alarms)];
}
