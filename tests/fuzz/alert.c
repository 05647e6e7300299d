/* tests/fuzz/alert.c -- alerts as the outbox keeps them, settings of receivers, matchers: the first byte says which.  An alert that is read
 * must be written again the same, and every message must be made of it. */
#include "fuzz.h"

#include "serve/deliver/message.h"
#include "serve/deliver/settings.h"

static void write_alert(const tcsi_alert *alert, tcsi_buffer *out)
{
    tcsi_json_writer writer;
    tcs_error err;
    tcsi_json_writer_init(&writer, out, false);
    tcsi_alert_write(alert, &writer);
    FUZZ_REQUIRE(tcsi_json_finish(&writer, &err) == TCS_OK);
}

/* Whatever an alert says, a mail's header consists of our lines, and nothing but printable ASCII is on the way. */
static void check_mail(const char *mail, size_t size)
{
    static const char *const ours[] = { "From: ", "To: ", "Date: ", "Message-ID: <", "References: <", "Auto-Submitted: ", "MIME-Version: ",
                                        "Content-Type: text/plain;", "Content-Transfer-Encoding: ", "Subject: =?", "Subject:\r", " =?" };
    const char *end = strstr(mail, "\r\n\r\n");
    for (size_t i = 0; i < size; i++) FUZZ_REQUIRE((mail[i] >= ' ' && mail[i] < 127) || mail[i] == '\r' || mail[i] == '\n');
    FUZZ_REQUIRE(end);
    for (const char *line = mail; line < end; line = strstr(line, "\r\n") + 2) {
        bool found = false;
        for (size_t i = 0; i < TCS_COUNT(ours); i++) found |= strncmp(line, ours[i], strlen(ours[i])) == 0;
        FUZZ_REQUIRE(found);
    }
}

static void check_messages(const tcsi_alert *alert)
{
    const tcsi_receiver receiver = { .from = "t@x", .to = { "a@x" }, .to_count = 1, .labels = { { "host", "x" } }, .label_count = 1 };
    tcsi_arena arena;
    tcsi_buffer text;
    tcs_error err;
    const tcsi_json_value *root;
    tcsi_arena_init(&arena, 0);
    tcsi_buffer_init(&text, 1 << 24);
    FUZZ_REQUIRE(tcsi_message_alertmanager(&receiver, alert, &text, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_json_parse(text.data, text.size, &arena, &root, &err) == TCS_OK && root->type == TCSI_JSON_ARRAY);
    tcsi_buffer_clear(&text);
    FUZZ_REQUIRE(tcsi_message_webhook(&receiver, alert, &text, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_json_parse(text.data, text.size, &arena, &root, &err) == TCS_OK);
    tcsi_buffer_clear(&text);
    FUZZ_REQUIRE(tcsi_message_grafana(&receiver, alert, &text, &err) == TCS_OK);
    FUZZ_REQUIRE(tcsi_json_parse(text.data, text.size, &arena, &root, &err) == TCS_OK);
    tcsi_buffer_clear(&text);
    FUZZ_REQUIRE(tcsi_message_mail(&receiver, alert, &text, &err) == TCS_OK);
    check_mail(text.data, text.size);
    tcsi_buffer_deinit(&text);
    tcsi_arena_deinit(&arena);
}

static void check_alert(const char *text, size_t size)
{
    tcsi_arena arena;
    tcsi_alert alert, again;
    tcsi_buffer first, second;
    tcs_error err = { 0 };
    tcsi_arena_init(&arena, 0);
    tcsi_buffer_init(&first, 1 << 24);
    tcsi_buffer_init(&second, 1 << 24);
    const tcs_status status = tcsi_alert_read(text, size, &arena, &alert, &err);
    FUZZ_REQUIRE(status == TCS_OK || strlen(err.text) > 5);
    if (status == TCS_OK) {
        write_alert(&alert, &first);
        if (tcsi_alert_read(first.data, first.size, &arena, &again, &err) == TCS_OK) { /* one that grew beyond the limit is not */
            write_alert(&again, &second);
            FUZZ_REQUIRE(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        } else {
            FUZZ_REQUIRE(first.size > size);
        }
        check_messages(&alert);
    }
    tcsi_buffer_deinit(&first);
    tcsi_buffer_deinit(&second);
    tcsi_arena_deinit(&arena);
}

static void check_matcher(const char *text, size_t size)
{
    static const tcsi_alert_tag tags[] = { { "host", "db1" }, { "a", "" } };
    char copy[1024];
    tcsi_matcher matcher;
    tcs_error err = { 0 };
    snprintf(copy, sizeof copy, "%.*s", (int)(size < sizeof copy ? size : sizeof copy - 1), text);
    if (tcsi_matcher_parse(copy, &matcher, &err) != TCS_OK) {
        FUZZ_REQUIRE(strlen(err.text) > 5);
        return;
    }
    (void)tcsi_matchers_hold(&matcher, 1, tags, TCS_COUNT(tags));
    tcsi_matcher_deinit(&matcher);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    tcsi_deliver_settings *settings = NULL;
    tcs_error err = { 0 };
    if (size == 0) return 0;
    const char *text = (const char *)bytes + 1;
    if (bytes[0] == 0) check_alert(text, size - 1);
    else if (bytes[0] == 1) check_matcher(text, size - 1);
    else FUZZ_REQUIRE(tcsi_deliver_settings_parse(text, size - 1, "fuzz", &settings, &err) == TCS_OK || strlen(err.text) > 5);
    tcsi_deliver_settings_destroy(settings);
    return 0;
}
