/* knowledge/order.h -- what people ordered for one row, before anybody judges it.
 * A hard limit that is passed alarms whatever the detector, the budget or anything learned says; it also beats an excuse.  An excused row
 * belongs to something known and harmless: it neither alarms nor teaches what is usual. */
#ifndef TCS_KNOWLEDGE_ORDER_H
#define TCS_KNOWLEDGE_ORDER_H

#include <stdint.h>

typedef enum tcsi_order_kind {
    TCSI_ORDER_NONE = 0,
    TCSI_ORDER_ALARM = 1,  /* which: the limit */
    TCSI_ORDER_EXCUSE = 2, /* which: the event */
} tcsi_order_kind;

typedef struct tcsi_order {
    uint16_t kind;  /* tcsi_order_kind */
    uint16_t which; /* index into the knowledge's limits or events */
} tcsi_order;

#endif
