/* explain/sentence.h -- an explanation in one plain sentence, of which every part is true or left out.
 *
 *     pressure_3 fell 18 % (0.42 bar) below its expected band at 2026-05-17 14:02, 40 s before flow_1; nothing like it in the 6 weeks
 *     before; closest: the episode of 2026-05-03 09:12
 *
 * A percentage is one of the band's nearer edge, and is only said where that edge is farther from zero than the band is wide: 18 % of a
 * temperature in degrees Celsius that crosses zero means nothing.  An order of channels is only stated between channels that left their
 * bands.  "Nothing like it" is said when all reference windows (similar.h) have nearer neighbours, and clearly so. */
#ifndef TCS_EXPLAIN_SENTENCE_H
#define TCS_EXPLAIN_SENTENCE_H

#include "explain/explanation.h"

void tcsi_sentence_write(const tcsi_subject *subject, const tcsi_explanation *explanation, char ret_text[TCSI_SENTENCE_SIZE]);
/* What a counterfactual says; empty when it was not asked for. */
void tcsi_sentence_write_advice(const tcsi_subject *subject, const tcsi_explanation *explanation, char ret_text[TCSI_SENTENCE_SIZE]);

#endif
