/* tests/fuzz/replay.c -- runs a fuzz target over its corpus: usage TARGET CORPUS_FOLDER.  Prints TAP, one case a file. */
#include "fuzz.h"

#include "base/file.h"

#include <dirent.h>

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    char *names[4096], path[4096];
    int count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; count < 4096 && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
    closedir(folder);
    qsort(names, (size_t)count, sizeof *names, by_name);
    printf("1..%d\n", count + 1);
    for (int i = 0; i < count; i++) {
        tcsi_buffer bytes;
        tcs_error err;
        tcsi_buffer_init(&bytes, 1 << 26);
        snprintf(path, sizeof path, "%s/%s", argv[1], names[i]);
        if (tcsi_file_read(path, &bytes, &err) != TCS_OK) {
            printf("not ok %d - %s: %s\n", i + 1, names[i], err.text);
            return 1;
        }
        uint8_t *copy = malloc(bytes.size ? bytes.size : 1); /* exactly as long as it is, for the sanitizer */
        if (!copy) return 1;
        if (bytes.size) memcpy(copy, bytes.data, bytes.size);
        LLVMFuzzerTestOneInput(copy, bytes.size);
        free(copy);
        tcsi_buffer_deinit(&bytes);
        printf("ok %d - %s\n", i + 1, names[i]);
        free(names[i]);
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok %d - nothing at all\n", count + 1);
    return 0;
}
