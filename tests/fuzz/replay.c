/* Stands in for a fuzzing engine in `make check`: feeds the target each file of its corpus, then the file cut short at
 * every length and with every byte changed, always from a block of exactly that size. */
#include <assert.h>
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VARIED = 1024 }; /* bytes at the start of a file that are varied */

static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size);
    assert(copy || size == 0);
    if (size)
        memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void feed_variants(uint8_t *data, size_t size)
{
    static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
    size_t varied = size < VARIED ? size : VARIED;

    for (size_t cut = 0; cut < varied; cut++)
        feed(data, cut);
    for (size_t i = 0; i < varied; i++) {
        for (size_t f = 0; f < sizeof flips; f++) {
            data[i] ^= flips[f];
            feed(data, size);
            data[i] ^= flips[f];
        }
    }
}

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    *size = (size_t)ftell(f);
    rewind(f);
    uint8_t *data = malloc(*size + 1);
    if (!data || fread(data, 1, *size, f) != *size) {
        perror(path);
        exit(1);
    }
    fclose(f);
    return data;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay(const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, visible, alphasort);
    if (count < 1) {
        printf("Bail out! no corpus in %s\nnot ok 1 - corpus\n1..1\n", dir);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        char *path;
        size_t size;
        if (asprintf(&path, "%s/%s", dir, entries[i]->d_name) < 0)
            abort();
        uint8_t *data = read_file(path, &size);
        printf("# %s\n", path);
        fflush(stdout);
        feed(data, size);
        feed_variants(data, size);
        printf("ok %d - %s\n", i + 1, entries[i]->d_name);
        free(data);
        free(path);
        free(entries[i]);
    }
    free(entries);
    printf("1..%d\n", count);
    return 0;
}

/* fuzz_NAME [FOLDER]: the folder is tests/fuzz/corpus/NAME of the source tree unless given. */
int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    const char *top = getenv("top_srcdir");
    char *dir;

    if (strncmp(name, "fuzz_", 5) == 0)
        name += 5;
    if (asprintf(&dir, "%s/tests/fuzz/corpus/%s", top ? top : ".", name) < 0)
        abort();
    int result = replay(argc > 1 ? argv[1] : dir);
    free(dir);
    return result;
}
