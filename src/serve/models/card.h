/* serve/models/card.h -- the card of a model: where it comes from, and who vouches for it.  Threads: plain data. */
#ifndef TCS_SERVE_MODELS_CARD_H
#define TCS_SERVE_MODELS_CARD_H

#include "serve/models/models.h"

/* Texts are never NULL; "" where there is none. */
typedef struct tcsi_card {
    const char *name, *parent, *note, *by;
    const char *lineage;           /* JSON; read leaves it "{}" */
    const char *key, *signature;   /* hexadecimal */
} tcsi_card;

/* Sets key and signature, in arena. */
tcs_status tcsi_card_sign(tcsi_card *card, const char *hash, const unsigned char *key, tcsi_arena *arena, tcs_error *err) TCS_WARN_UNUSED;
/* As tcsi_models_verify has it. */
tcs_status tcsi_card_verify(const tcsi_card *card, const char *hash, const unsigned char *trusted,
                            unsigned char ret_signer[TCSI_SECRET_PUBLIC_KEY_SIZE], tcs_error *err) TCS_WARN_UNUSED;
tcs_status tcsi_card_write(const tcsi_card *card, const char *hash, tcsi_buffer *out, tcs_error *err) TCS_WARN_UNUSED;
/* Texts live in arena; a card of the deep layer's own may lack some.  E_FORMAT: it is none. */
tcs_status tcsi_card_read(const char *text, tcsi_arena *arena, tcsi_card *ret_card, const char **ret_hash, tcs_error *err) TCS_WARN_UNUSED;

#endif
