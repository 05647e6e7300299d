/* tests/fuzz/safetensors.c -- weights from anywhere: taken whole, all finite, and the same again once written; or refused with a sentence,
 * and then the net is as it was. */
#include "fuzz.h"

#include "nn/op.h"
#include "nn/safetensors.h"

enum { NUMBER_COUNT = 24 + 4 + 4 };

/* The weights of the files in tests/golden/nn, which are among the seeds. */
static tcs_status holder_shape(tcsi_net *net, tcsi_node *node, tcs_error *err)
{
    const tcsi_weight weights[] = { { .name = "weight", .dims = { 3, 2, 4 }, .dim_count = 3 },
                                    { .name = "bias", .dims = { 4 }, .dim_count = 1 },
                                    { .name = "mean", .dims = { 4 }, .dim_count = 1, .is_state = true } };
    tcs_status status = TCS_OK;
    node->shape = (tcsi_shape){ 1, 1 };
    for (size_t i = 0; i < TCS_COUNT(weights) && status == TCS_OK; i++) status = tcsi_net_weight(net, node, &weights[i], err);
    return status;
}

static const tcsi_op holder = { .name = "holder", .shape = holder_shape };

static tcsi_net *new_net(void)
{
    tcsi_net *net;
    FUZZ_REQUIRE(tcsi_net_create(1, &net, NULL) == TCS_OK);
    tcsi_net_scope(net, "encoder");
    (void)tcsi_net_add(net, &holder, NULL, 0, NULL);
    FUZZ_REQUIRE(tcsi_net_finish(net, NULL) == TCS_OK);
    return net;
}

static void get_numbers(const tcsi_net *net, float *ret_numbers)
{
    for (size_t i = 0; i < net->tensor_count; i++) {
        memcpy(ret_numbers, tcsi_net_values(net, &net->tensors[i]), net->tensors[i].count * sizeof(float));
        ret_numbers += net->tensors[i].count;
    }
}

static void check_again(const tcsi_net *net, tcsi_net *back)
{
    float written[NUMBER_COUNT], read[NUMBER_COUNT];
    tcsi_buffer out;
    tcsi_buffer_init(&out, 1 << 20);
    FUZZ_REQUIRE(tcsi_safetensors_save(net, NULL, 0, &out, NULL) == TCS_OK);
    FUZZ_REQUIRE(tcsi_safetensors_load(back, out.data, out.size, NULL) == TCS_OK);
    get_numbers(net, written);
    get_numbers(back, read);
    FUZZ_REQUIRE(memcmp(written, read, sizeof read) == 0);
    tcsi_buffer_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static tcsi_net *net, *back;
    float before[NUMBER_COUNT], after[NUMBER_COUNT];
    tcs_error err = { 0 };
    tcsi_buffer text;
    if (!net) net = new_net();
    if (!back) back = new_net();
    get_numbers(net, before);
    tcs_status status = tcsi_safetensors_load(net, bytes, size, &err);
    get_numbers(net, after);
    if (status == TCS_OK) {
        for (size_t i = 0; i < NUMBER_COUNT; i++) FUZZ_REQUIRE(isfinite(after[i]));
        check_again(net, back);
    } else {
        FUZZ_REQUIRE(err.status == status && strlen(err.text) > 5 && status != TCS_E_MEMORY);
        FUZZ_REQUIRE(memcmp(before, after, sizeof after) == 0);
    }
    tcsi_buffer_init(&text, 1 << 20);
    if (tcsi_safetensors_note_text(bytes, size, "made by", &text, &err) == TCS_OK) FUZZ_REQUIRE(text.size <= size);
    tcsi_buffer_deinit(&text);
    return 0;
}
