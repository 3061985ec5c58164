/* Turns files into C at build time: embed ROOT FILE... writes the table im_web_routes to standard output, with each
 * file's type, ETag, bytes and gzipped bytes. FILE is a path below ROOT, and its first folder is no part of the URL.
 * The same input gives the same output. */

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define HASH_BYTES  16
#define WINDOW_GZIP (15 + 16) /* zlib: the largest window, in a gzip wrapper; its header has no name and mtime 0 */
#define PAGE        "/index.html"

struct blob {
    unsigned char *p;
    size_t len;
};

static const struct {
    const char *suffix, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},         {".css", "text/css; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},     {".svg", "image/svg+xml"},
    {".webmanifest", "application/manifest+json"},
};

static void die(const char *what, const char *why)
{
    fprintf(stderr, "embed: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static const char *type_of(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t n = strlen(types[i].suffix);
        if (len > n && strcmp(name + len - n, types[i].suffix) == 0)
            return types[i].type;
    }
    die(name, "no type is known for its suffix");
    return NULL;
}

/* "web/index.html" is "/", and "web/js/main.js" is "/js/main.js". */
static const char *url_of(const char *name)
{
    const char *url = strchr(name, '/');
    if (!url)
        die(name, "must be in a folder");
    return strcmp(url, PAGE) == 0 ? "/" : url;
}

static void *allocate(size_t len)
{
    void *p = malloc(len ? len : 1);
    if (!p)
        die("malloc", strerror(errno));
    return p;
}

static struct blob read_file(const char *root, const char *name)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", root, name) >= sizeof path)
        die(name, "the path is too long");
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        die(path, strerror(errno));
    long len = ftell(f);
    if (len < 0)
        die(path, strerror(errno));
    rewind(f);
    struct blob b = {allocate((size_t)len), (size_t)len};
    if (fread(b.p, 1, b.len, f) != b.len)
        die(path, "cannot be read");
    fclose(f);
    return b;
}

/* Empty when it would not be smaller. */
static struct blob compress_blob(struct blob in)
{
    z_stream z = {0};
    if (deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        die("zlib", "cannot start");
    struct blob out = {allocate(deflateBound(&z, (uLong)in.len)), 0};
    z.next_in = in.p;
    z.avail_in = (uInt)in.len;
    z.next_out = out.p;
    z.avail_out = (uInt)deflateBound(&z, (uLong)in.len);
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        die("zlib", "cannot compress");
    out.len = z.total_out < in.len ? z.total_out : 0;
    deflateEnd(&z);
    return out;
}

static void put_bytes(const char *kind, size_t i, struct blob b)
{
    printf("static const unsigned char %s_%zu[] = {", kind, i);
    for (size_t k = 0; k < b.len; k++)
        printf("%s%u,", k % 32 == 0 ? "\n" : "", b.p[k]);
    printf("};\n");
}

static void put_asset(const char *root, const char *name, size_t i)
{
    unsigned char hash[HASH_BYTES];
    char hex[2 * HASH_BYTES + 1];
    struct blob raw = read_file(root, name), gzip = compress_blob(raw);
    if (raw.len == 0)
        die(name, "is empty");
    crypto_generichash(hash, sizeof hash, raw.p, raw.len, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    put_bytes("raw", i, raw);
    if (gzip.len)
        put_bytes("gzip", i, gzip);
    printf("static const struct im_web_asset asset_%zu = {\"%s\", \"\\\"%s\\\"\", \"\\\"%s-gz\\\"\", ", i,
           type_of(name), hex, hex);
    printf("{(const char *)raw_%zu, %zu}, ", i, raw.len);
    if (gzip.len)
        printf("{(const char *)gzip_%zu, %zu}};\n", i, gzip.len);
    else
        printf("{NULL, 0}};\n");
    free(raw.p);
    free(gzip.p);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        die("usage", "embed ROOT FILE...");
    if (sodium_init() < 0)
        die("libsodium", "cannot start");
    printf("#include \"web/web.h\"\n\n");
    for (int i = 2; i < argc; i++)
        put_asset(argv[1], argv[i], (size_t)i);
    printf("\nconst struct im_http_route im_web_routes[] = {\n");
    for (int i = 2; i < argc; i++)
        printf("    {\"%s\", im_web_serve, (void *)(uintptr_t)&asset_%d},\n", url_of(argv[i]), i);
    printf("    {NULL, NULL, NULL}};\n");
    if (fflush(stdout) != 0 || ferror(stdout))
        die("standard output", strerror(errno));
    return EXIT_SUCCESS;
}
