/* The kernel's files: as Linux 6.18 wrote them (tests/golden/collect), in the forms of older kernels, cut at every byte, and hostile.
 * SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/alloc.h"
#include "base/file.h"
#include "serve/collect/parse.h"

static const tcsi_collect_options whole = { .ticks_per_s = 100 }, cores = { .per_core = true, .ticks_per_s = 100 };

static tcsi_figures parsed(tcsi_collect_parse parse, const char *text, const tcsi_collect_options *options, bool expected)
{
    tcsi_figures figures;
    size_t size = strlen(text);
    char *copy = malloc(size ? size : 1); /* just as long as it is, for the sanitizer */
    assert_non_null(copy);
    if (size) memcpy(copy, text, size);
    tcsi_figures_init(&figures);
    tcsi_figures_begin(&figures, 0);
    assert_int_equal(parse(copy, size, options, &figures), expected);
    free(copy);
    return figures;
}

static tcsi_figures parsed_file(tcsi_collect_parse parse, const char *name, const tcsi_collect_options *options)
{
    char path[256];
    tcsi_buffer text;
    snprintf(path, sizeof path, "tests/golden/collect/linux-6.18/%s", name);
    tcsi_buffer_init(&text, 1 << 20);
    assert_ok(tcsi_file_read(test_source(path), &text, test_err));
    tcsi_figures figures = parsed(parse, text.data, options, true);
    tcsi_buffer_deinit(&text);
    return figures;
}

static double value_of(const tcsi_figures *figures, const char *name)
{
    const tcsi_figure *figure = tcsi_figures_find(figures, name);
    if (!figure) print_error("no %s\n", name);
    assert_non_null(figure);
    return figure->value;
}

static void test_stat(void **state)
{
    tcsi_figures f = parsed_file(tcsi_collect_stat, "stat", &whole);
    (void)state;
    assert_int_equal(f.count, 8 + 6);
    assert_near(46099.19, value_of(&f, "node_cpu_seconds_total{mode=\"user\"}"), 1e-12);
    assert_near(48.01, value_of(&f, "node_cpu_seconds_total{mode=\"steal\"}"), 1e-12);
    assert_near(73957573, value_of(&f, "node_context_switches_total"), 0);
    assert_near(1795637327, value_of(&f, "node_boot_time_seconds"), 0);
    tcsi_figures_deinit(&f);
    f = parsed_file(tcsi_collect_stat, "stat", &cores);
    assert_int_equal(f.count, 2 * 8 + 6);
    assert_true(value_of(&f, "node_cpu_seconds_total{cpu=\"1\",mode=\"idle\"}") > 6000);
    assert_null(tcsi_figures_find(&f, "node_cpu_seconds_total{mode=\"user\"}"));
    tcsi_figures_deinit(&f);
}

static void test_stat_of_old_kernels(void **state)
{
    /* 2.4 */
    tcsi_figures f = parsed(tcsi_collect_stat, "cpu  100 200 300 400\ncpu0 100 200 300 400\npage 1 2\nintr 77 1 2\n", &whole, true);
    (void)state;
    assert_int_equal(f.count, 5);
    assert_near(4, value_of(&f, "node_cpu_seconds_total{mode=\"idle\"}"), 0);
    assert_near(77, value_of(&f, "node_intr_total"), 0);
    tcsi_figures_deinit(&f);
    f = parsed(tcsi_collect_stat, "cpu  1 2 3 4 5 6 7 8 9\nctxt 5\n", &whole, true); /* 2.6.24: guest, without guest_nice */
    assert_int_equal(f.count, 9);
    assert_near(0.08, value_of(&f, "node_cpu_seconds_total{mode=\"steal\"}"), 1e-15);
    tcsi_figures_deinit(&f);
}

static void test_small_files(void **state)
{
    tcsi_figures f = parsed(tcsi_collect_loadavg, "0.25 1.50 12.75 1/95 17281\n", &whole, true);
    (void)state;
    assert_near(0.25, value_of(&f, "node_load1"), 0);
    assert_near(12.75, value_of(&f, "node_load15"), 0);
    tcsi_figures_deinit(&f);
    f = parsed(tcsi_collect_file_nr, "592\t0\t2466183\n", &whole, true);
    assert_near(592, value_of(&f, "node_filefd_allocated"), 0);
    assert_near(2466183, value_of(&f, "node_filefd_maximum"), 0);
    tcsi_figures_deinit(&f);
    f = parsed(tcsi_collect_file_nr, "592\t0\t9223372036854775807\n", &whole, true); /* what 5.x say for "no limit" */
    assert_near(9223372036854775807.0, value_of(&f, "node_filefd_maximum"), 0);
    tcsi_figures_deinit(&f);
}

static void test_memory(void **state)
{
    tcsi_figures f = parsed_file(tcsi_collect_meminfo, "meminfo", &whole);
    (void)state;
    assert_int_equal(f.count, 13);
    assert_near(24684096.0 * 1024, value_of(&f, "node_memory_MemTotal_bytes"), 0);
    assert_near(0, value_of(&f, "node_memory_SwapTotal_bytes"), 0);
    tcsi_figures_deinit(&f);
    /* Before 3.14 there is no MemAvailable; 2.4 began with a table of its own. */
    f = parsed(tcsi_collect_meminfo, "        total:    used:\nMem:  1 2\nMemTotal:   1000 kB\nMemFree:   10 kB\nBuffers: kB\n", &whole,
        true);
    assert_int_equal(f.count, 2);
    assert_near(10240, value_of(&f, "node_memory_MemFree_bytes"), 0);
    tcsi_figures_deinit(&f);
    f = parsed_file(tcsi_collect_vmstat, "vmstat", &whole);
    assert_int_equal(f.count, 5);
    assert_near(1, value_of(&f, "node_vmstat_oom_kill"), 0);
    tcsi_figures_deinit(&f);
}

static void test_disks(void **state)
{
    tcsi_figures f = parsed_file(tcsi_collect_diskstats, "diskstats", &whole);
    (void)state;
    assert_int_equal(f.count, 9); /* vda; neither loop nor zram */
    assert_true(value_of(&f, "node_disk_read_bytes_total{device=\"vda\"}") > 2e10);
    tcsi_figures_deinit(&f);
    /* 2.6.25 to 4.17: 11 columns; 4.18: 15; 5.5: 17.  Of 2.6.24 and before, a partition's four columns. */
    f = parsed(tcsi_collect_diskstats,
               "   8       0 sda 10 1 20 30 40 2 50 60 7 80 90\n   8       1 sda1 1 2 3 4\n   8       2 sda2 9 9 9 9 9 9 9 9 9 9 9\n"
               " 259       0 nvme0n1 1 0 2 3 4 0 5 6 0 8 9 10 11 12 13\n 259       1 nvme0n1p1 1 0 2 3 4 0 5 6 0 8 9 10 11 12 13\n"
               " 253       0 dm-0 1 0 2 3 4 0 5 6 0 8 9 10 11 12 13 14 15\n   9     127 md127 1 0 2 3 4 0 5 6 0 8 9\n"
               " 179       1 mmcblk0p1 1 0 2 3 4 0 5 6 0 8 9\n"
               "   1 0 ram0 1 0 2 3 4 0 5 6 0 8 9\n", &whole, true);
    assert_int_equal(f.count, 4 * 9);
    assert_near(20 * 512, value_of(&f, "node_disk_read_bytes_total{device=\"sda\"}"), 0);
    assert_near(0.03, value_of(&f, "node_disk_read_time_seconds_total{device=\"sda\"}"), 1e-15);
    assert_near(50 * 512, value_of(&f, "node_disk_written_bytes_total{device=\"sda\"}"), 0);
    assert_near(7, value_of(&f, "node_disk_io_now{device=\"sda\"}"), 0);
    assert_near(0.08, value_of(&f, "node_disk_io_time_seconds_total{device=\"sda\"}"), 1e-15);
    assert_near(0.009, value_of(&f, "node_disk_io_time_weighted_seconds_total{device=\"nvme0n1\"}"), 1e-15);
    assert_near(1, value_of(&f, "node_disk_reads_completed_total{device=\"dm-0\"}"), 0);
    assert_non_null(tcsi_figures_find(&f, "node_disk_io_now{device=\"md127\"}"));
    tcsi_figures_deinit(&f);
}

static void test_network(void **state)
{
    tcsi_figures f = parsed_file(tcsi_collect_net_dev, "net/dev", &whole);
    (void)state;
    assert_int_equal(f.count, 4 * 8);
    assert_true(value_of(&f, "node_network_receive_bytes_total{device=\"eth0\"}") > 4e9);
    tcsi_figures_deinit(&f);
    /* no blank */
    f = parsed(tcsi_collect_net_dev, "Inter-|   Receive\n face |bytes    packets\n  eth0:1000 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
               "eth0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  cut: 1 2 3\n", &whole, true);
    assert_int_equal(f.count, 2 * 8);
    assert_near(1000, value_of(&f, "node_network_receive_bytes_total{device=\"eth0\"}"), 0);
    assert_near(12, value_of(&f, "node_network_transmit_drop_total{device=\"eth0\"}"), 0);
    assert_near(9, value_of(&f, "node_network_transmit_bytes_total{device=\"eth0:1\"}"), 0);
    tcsi_figures_deinit(&f);
}

static void test_pressure(void **state)
{
    tcsi_figures f = parsed(tcsi_collect_pressure_io, "some avg10=0.00 avg60=0.06 avg300=1.88 total=40205458\n"
                            "full avg10=0.00 avg60=0.00 avg300=0.00 total=1500000\n", &whole, true);
    (void)state;
    assert_near(40.205458, value_of(&f, "node_pressure_io_waiting_seconds_total"), 1e-12);
    assert_near(1.5, value_of(&f, "node_pressure_io_stalled_seconds_total"), 1e-12);
    tcsi_figures_deinit(&f);
    f = parsed(tcsi_collect_pressure_cpu, "some avg10=0.00 avg60=0.00 avg300=0.00 total=12\n", &whole, true); /* before 5.13 */
    assert_int_equal(f.count, 1);
    tcsi_figures_deinit(&f);
    f = parsed_file(tcsi_collect_pressure_memory, "pressure/memory", &whole);
    assert_int_equal(f.count, 2);
    tcsi_figures_deinit(&f);
}

static void test_mounts(void **state)
{
    static const char text[] =
        "22 27 0:21 / /proc rw,relatime - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
        "36 35 98:0 /mnt1 /mnt/a\\040b\\134c rw,noatime master:1 shared:2 - ext3 /dev/root ro,errors=continue\n"
        "37 27 254:0 /etc/hosts /etc/hosts rw - ext4 /dev/vda rw\n38 27 0:40 / /home rw - nfs4 server:/home rw\n"
        "39 27 0:41 / /run ro,nosuid - tmpfs tmpfs rw,size=10k\n40 27 0:42 / /layer rw - overlay overlay rw\n"
        "41 27 0:43 / /dev/shm rw - tmpfs tmpfs rw\n42 27 0:44 / /f rw - fuse.sshfs x:/ rw\n43 27 bad / /x rw - ext4 /dev/x rw\n"
        "44 27 8:1 / /no-dash rw ext4 /dev/x rw\n45 27 8:2 / /cut rw - ext4 /dev/y rw";
    tcsi_mount mounts[TCSI_MOUNT_COUNT_MAX];
    size_t count = tcsi_collect_mounts(text, sizeof text - 1, mounts);
    (void)state;
    assert_int_equal(count, 3);
    assert_string_equal(mounts[0].point, "/");
    assert_string_equal(mounts[0].device, "/dev/vda");
    assert_false(mounts[0].is_readonly);
    assert_string_equal(mounts[1].point, "/mnt/a b\\c");
    assert_true(mounts[1].is_readonly && mounts[2].is_readonly);
    assert_string_equal(mounts[2].point, "/run");
    static const char container[] = "1 0 0:50 / / rw - overlay overlay rw,lowerdir=/a\n"
                                    "2 1 254:0 /b /etc/resolv.conf rw - ext4 /dev/vda rw\n"
                                    "3 1 254:0 /c /etc/h rw - ext4 /dev/vda rw\n";
    count = tcsi_collect_mounts(container, sizeof container - 1, mounts);
    assert_int_equal(count, 2);
    assert_string_equal(mounts[0].type, "overlay");
    assert_string_equal(mounts[1].point, "/etc/h"); /* the shortest */
}

static const struct { tcsi_collect_parse parse; const char *file; } files[] = {
    { tcsi_collect_stat, "stat" }, { tcsi_collect_loadavg, "loadavg" }, { tcsi_collect_meminfo, "meminfo" },
    { tcsi_collect_vmstat, "vmstat" }, { tcsi_collect_diskstats, "diskstats" }, { tcsi_collect_net_dev, "net/dev" },
    { tcsi_collect_pressure_cpu, "pressure/cpu" }, { tcsi_collect_pressure_io, "pressure/io" },
    { tcsi_collect_pressure_memory, "pressure/memory" }, { tcsi_collect_file_nr, "sys/fs/file-nr" },
};

/* Wherever the text is cut, what is told is what the whole text tells: a cut number is left out. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < TCS_COUNT(files); i++) {
        tcsi_figures all = parsed_file(files[i].parse, files[i].file, &whole), cut;
        tcsi_buffer text;
        char path[256];
        snprintf(path, sizeof path, "tests/golden/collect/linux-6.18/%s", files[i].file);
        tcsi_buffer_init(&text, 1 << 20);
        assert_ok(tcsi_file_read(test_source(path), &text, test_err));
        for (size_t size = 0; size < text.size; size++) {
            char *copy = malloc(size ? size : 1);
            assert_non_null(copy);
            memcpy(copy, text.data, size);
            tcsi_figures_init(&cut);
            tcsi_figures_begin(&cut, 0);
            (void)files[i].parse(copy, size, &whole, &cut);
            for (size_t k = 0; k < cut.count; k++) assert_near(value_of(&all, cut.items[k].name), cut.items[k].value, 0);
            tcsi_figures_deinit(&cut);
            free(copy);
        }
        tcsi_buffer_deinit(&text);
        tcsi_figures_deinit(&all);
    }
}

static void test_hostile(void **state)
{
    static const char *const texts[] = { "", "\n", "\n\n\n", "cpu\n", "cpu  \n", "cpu -1 nan inf 1e9\n", "intr\n",
        "MemTotal:\n", "MemTotal: x kB\n", "MemTotal: 99999999999999999999999 kB\n", "pswpin 1.2.3\n", "8 0 sda\n", "8 0\n", ":\n",
        ": 1 2 3\n", "some total=\n", "some total=x\n", "full\n", ".\n", "1.\n\n", "some some some\n", "\t \t\n" };
    (void)state;
    for (size_t i = 0; i < TCS_COUNT(files); i++)
        for (size_t k = 0; k < TCS_COUNT(texts); k++) {
            const bool is_number = (files[i].parse == tcsi_collect_loadavg || files[i].parse == tcsi_collect_file_nr) &&
                                   (strncmp(texts[k], "8 0", 3) == 0 || strncmp(texts[k], "1.", 2) == 0);
            tcsi_figures f = parsed(files[i].parse, texts[k], &whole, is_number);
            assert_true(is_number || f.count == 0);
            tcsi_figures_deinit(&f);
        }
}

TCS_TEST_MAIN(cmocka_unit_test(test_stat), cmocka_unit_test(test_stat_of_old_kernels), cmocka_unit_test(test_small_files),
              cmocka_unit_test(test_memory), cmocka_unit_test(test_disks), cmocka_unit_test(test_network), cmocka_unit_test(test_pressure),
              cmocka_unit_test(test_mounts), cmocka_unit_test(test_cut_anywhere), cmocka_unit_test(test_hostile))
