/* SPDX-License-Identifier: Apache-2.0 */
#include "knowledge/votes.h"

#include "base/alloc.h"

#include <math.h>

enum { TURN_COUNT_MAX = 500 };

/* What is imagined of a source before any row: P(speaks) where it should, and where it should not; of so many rows. */
static const double RIGHT = 0.5, WRONG = 0.02, SHARE = 0.02, IMAGINED = 4;

static size_t pattern_count(const tcsi_votes *votes) { return (size_t)2 << votes->rule_count; }

tcs_status tcsi_votes_init(tcsi_votes *votes, const tcsi_knowledge *knowledge, tcs_error *err)
{
    *votes = (tcsi_votes){ .rule_count = knowledge->rule_count };
    for (size_t r = 0; r < votes->rule_count; r++) votes->says_anomaly[r] = knowledge->rules[r].says_anomaly;
    votes->says_anomaly[votes->rule_count] = true;
    votes->counts = TCSI_NEW_ZEROS(uint64_t, 3 * pattern_count(votes));
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

static double imagined(const tcsi_votes *votes, size_t truth, size_t source) { return votes->says_anomaly[source] == truth ? RIGHT
                                                                               : WRONG; }

/* P(anomalous | pattern) for every pattern, from the probabilities as they are. */
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

/* The probabilities from P(anomalous | pattern); returns by how much any of them moved. */
static double maximize(tcsi_votes *votes)
{
    const size_t count = pattern_count(votes);
    double weight[2] = { 0 }, spoken[2][TCSI_RULE_COUNT_MAX + 1] = { { 0 } }, moved = 0;
    for (size_t p = 0; p < count; p++) {
        const double unknown = (double)votes->counts[p];
        const double rows[2] = { unknown * (1 - votes->posterior[p]) + (double)votes->counts[count + p],
                                 unknown * votes->posterior[p] + (double)votes->counts[2 * count + p] };
        for (size_t y = 0; y < 2; y++) {
            weight[y] += rows[y];
            for (size_t j = 0; j <= votes->rule_count; j++) spoken[y][j] += p >> j & 1 ? rows[y] : 0;
        }
    }
    const double share = (weight[1] + IMAGINED * SHARE) / (weight[0] + weight[1] + IMAGINED);
    moved = fabs(share - votes->share);
    votes->share = share;
    for (size_t y = 0; y < 2; y++)
        for (size_t j = 0; j <= votes->rule_count; j++) {
            const double now = (spoken[y][j] + IMAGINED * imagined(votes, y, j)) / (weight[y] + IMAGINED);
            moved = fmax(moved, fabs(now - votes->spoken_when[y][j]));
            votes->spoken_when[y][j] = now;
        }
    return moved;
}

void tcsi_votes_estimate(tcsi_votes *votes)
{
    votes->share = SHARE;
    for (size_t y = 0; y < 2; y++)
        for (size_t j = 0; j <= votes->rule_count; j++) votes->spoken_when[y][j] = imagined(votes, y, j);
    for (size_t turn = 0; turn < TURN_COUNT_MAX; turn++) {
        expect(votes);
        if (maximize(votes) < 1e-9) break;
    }
    expect(votes);
}

double tcsi_votes_accuracy(const tcsi_votes *votes, size_t source)
{
    const double anomalous = votes->share * votes->spoken_when[1][source], normal = (1 - votes->share) * votes->spoken_when[0][source];
    return (votes->says_anomaly[source] ? anomalous : normal) / (anomalous + normal);
}

uint64_t tcsi_votes_spoken_count(const tcsi_votes *votes, size_t source)
{
    uint64_t count = 0;
    for (size_t i = 0; i < 3 * pattern_count(votes); i++) count += i >> source & 1 ? votes->counts[i] : 0;
    return count;
}

double tcsi_votes_probability(const tcsi_votes *votes, uint16_t spoken, bool detector_alarms)
{
    return votes->posterior[pattern_of(votes, spoken, detector_alarms)];
}
