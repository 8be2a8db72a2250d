#define _GNU_SOURCE
/* Load generator of the benchmark: one thread, epoll, OpenSSL; speaks CWP/1 and NATS.
 *
 * It knows only how to find the end of a message and what kind it is. All that is sent was encoded
 * by run.py and is read from a file: for each connection a certificate, what to say first, what to
 * say when welcomed, and what to publish. Connection 0 is the client, all others are nodes.
 *
 * Commands on stdin, one answer line each on stdout:
 *   connect       log in every connection             -> ok SECONDS
 *   fanout N      N rounds: the client publishes, every node receives
 *   fanin N       N rounds: every node publishes, the client receives all
 *   ping N        N rounds: the client publishes, every node answers on receipt, the client receives all
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, CHUNK = 16384, DEADLINE_S = 60 };
enum kind { PARTIAL, WELCOME, PING, PONG, DATA, FAILURE, OTHER };

struct blob {
    size_t length;
    unsigned char *bytes;
};

struct conn {
    SSL *ssl;
    int fd, ready, handshaken, want_write;
    struct blob certificate, key, first, second, publish;
    size_t request; /* where in `publish` eight digits stand that are new in every round */
    struct blob in, out; /* bytes of an unfinished message; bytes not yet taken by OpenSSL */
};

static struct conn *conns;
static size_t count, ready_count, delivered_nodes, delivered_client;
static unsigned round_number;
static int epoll_fd, cwp, answer_on_data;
static struct sockaddr_in address;
static SSL_CTX *context;

static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void append(struct blob *to, const unsigned char *bytes, size_t length) {
    to->bytes = realloc(to->bytes, to->length + length + 1);
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void drop(struct blob *from, size_t length) {
    from->length -= length;
    if (from->length) {
        memmove(from->bytes, from->bytes + length, from->length);
    } else { /* an idle connection holds no buffer: the generator shares the machine's memory */
        free(from->bytes);
        from->bytes = NULL;
    }
}

static void watch(struct conn *c, int write) {
    if (c->want_write == write) return;
    struct epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event)) fail("epoll_ctl: %s", strerror(errno));
    c->want_write = write;
}

static void flush(struct conn *c) {
    while (c->out.length) {
        int done = SSL_write(c->ssl, c->out.bytes, (int)c->out.length);
        if (done <= 0) {
            int why = SSL_get_error(c->ssl, done);
            if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ) break;
            fail("write failed on connection %zu", (size_t)(c - conns));
        }
        drop(&c->out, done);
    }
    watch(c, c->out.length > 0);
}

static void say(struct conn *c, const unsigned char *bytes, size_t length) {
    append(&c->out, bytes, length);
    flush(c);
}

/* Length of the first message of `in` and its kind; PARTIAL when it is not complete. */
static enum kind cwp_message(const struct blob *in, size_t *length, size_t *head) {
    const unsigned char *b = in->bytes;
    size_t body;
    if (!in->length) return PARTIAL;
    if (b[0] >= 0x40 && b[0] <= 0x57) {
        body = b[0] - 0x40;
        *head = 1;
    } else {
        *head = b[0] == 0x58 ? 2 : b[0] == 0x59 ? 3 : 5;
        if (*head == 5 && b[0] != 0x5a) fail("not a CWP frame: first byte %02x", b[0]);
        if (in->length < *head) return PARTIAL;
        body = 0;
        for (size_t i = 1; i < *head; i++) body = body << 8 | b[i];
    }
    *length = *head + body;
    if (in->length < *length) return PARTIAL;
    switch (b[*head + 1]) {
    case 2: return WELCOME;
    case 3: return PING;
    case 4: return PONG;
    case 10: return DATA;
    case 5: case 6: return FAILURE;
    default: return OTHER;
    }
}

static enum kind nats_message(const struct blob *in, size_t *length) {
    if (!in->length) return PARTIAL;
    unsigned char *end = memmem(in->bytes, in->length, "\r\n", 2);
    if (!end) return PARTIAL;
    *length = end + 2 - in->bytes;
    if (!memcmp(in->bytes, "MSG ", 4)) {
        unsigned char *space = end;
        while (space[-1] != ' ') space--;
        *length += strtoul((char *)space, NULL, 10) + 2;
        return in->length < *length ? PARTIAL : DATA;
    }
    switch (in->bytes[0] == 'P' ? in->bytes[1] : in->bytes[0]) {
    case 'I': return in->bytes[1] == 'N' ? WELCOME : PING; /* INFO, or PING's second letter */
    case 'O': return PONG;
    case '-': return FAILURE;
    default: return OTHER;
    }
}

/* New requests have new reply subjects: no broker may live on what it remembers of the last round. */
static void publish(struct conn *c) {
    char digits[9];
    snprintf(digits, sizeof digits, "%08u", round_number);
    memcpy(c->publish.bytes + c->request, digits, 8);
    say(c, c->publish.bytes, c->publish.length);
}

static void data_came(struct conn *c) {
    if (c == conns) {
        delivered_client++;
        return;
    }
    delivered_nodes++;
    if (answer_on_data) publish(c);
}

static void take(struct conn *c, enum kind kind, size_t length, size_t head) {
    switch (kind) {
    case WELCOME: say(c, c->second.bytes, c->second.length); break;
    case PONG: ready_count += !c->ready; c->ready = 1; break;
    case DATA: data_came(c); break;
    case PING:
        if (cwp) {
            unsigned char pong[64];
            memcpy(pong, c->in.bytes, length);
            pong[head + 1] = 4;
            say(c, pong, length);
        } else
            say(c, (const unsigned char *)"PONG\r\n", 6);
        break;
    case FAILURE:
        fwrite(c->in.bytes, 1, length, stderr);
        fail(" <- connection %zu was refused", (size_t)(c - conns));
    default: break;
    }
}

static void parse(struct conn *c) {
    size_t length, head = 0;
    for (;;) {
        enum kind kind = cwp ? cwp_message(&c->in, &length, &head) : nats_message(&c->in, &length);
        if (kind == PARTIAL) return;
        take(c, kind, length, head);
        drop(&c->in, length);
    }
}

static int read_more(struct conn *c) {
    static unsigned char buffer[CHUNK];
    int got = SSL_read(c->ssl, buffer, CHUNK);
    if (got > 0) {
        append(&c->in, buffer, got);
        return 1;
    }
    int why = SSL_get_error(c->ssl, got);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return 0;
    fail("connection %zu was closed", (size_t)(c - conns));
    return 0;
}

static void shake(struct conn *c) {
    int done = SSL_do_handshake(c->ssl);
    if (done == 1) {
        c->handshaken = 1;
        if (c->first.length) say(c, c->first.bytes, c->first.length);
        else watch(c, 0);
        return;
    }
    int why = SSL_get_error(c->ssl, done);
    if (why == SSL_ERROR_WANT_WRITE) watch(c, 1);
    else if (why == SSL_ERROR_WANT_READ) watch(c, 0);
    else fail("handshake of connection %zu failed", (size_t)(c - conns));
}

static void on_event(struct conn *c, unsigned events) {
    if (!c->handshaken) shake(c);
    if (!c->handshaken) return;
    if (events & EPOLLOUT) flush(c);
    while (read_more(c)) parse(c);
}

static void turn(double deadline) {
    struct epoll_event events[256];
    int n = epoll_wait(epoll_fd, events, 256, 1000);
    for (int i = 0; i < n; i++) on_event(events[i].data.ptr, events[i].events);
    if (now() > deadline)
        fail("not done in time: %zu logged in, %zu at nodes, %zu at the client", ready_count,
             delivered_nodes, delivered_client);
}

static void open_connection(struct conn *c) {
    int yes = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) fail("socket: %s", strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) && errno != EINPROGRESS)
        fail("connect: %s", strerror(errno));
    c->ssl = SSL_new(context);
    if (!c->ssl ||
        SSL_use_certificate_ASN1(c->ssl, c->certificate.bytes, (int)c->certificate.length) != 1 ||
        SSL_use_PrivateKey_ASN1(EVP_PKEY_EC, c->ssl, c->key.bytes, (long)c->key.length) != 1)
        fail("certificate of connection %zu", (size_t)(c - conns));
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    c->want_write = 1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event)) fail("epoll_ctl: %s", strerror(errno));
}

static void connect_all(void) {
    double deadline = now() + DEADLINE_S;
    for (size_t opened = 0; ready_count < count;) {
        while (opened < count && opened - ready_count < IN_FLIGHT) open_connection(&conns[opened++]);
        turn(deadline);
    }
}

static void run_round(char what) {
    double deadline = now() + DEADLINE_S;
    size_t nodes = count - 1;
    delivered_nodes = delivered_client = 0;
    round_number++;
    answer_on_data = what == 'p';
    if (what == 'i')
        for (size_t i = 1; i < count; i++) publish(&conns[i]);
    else
        publish(&conns[0]);
    while (what == 'o' ? delivered_nodes < nodes : delivered_client < nodes) turn(deadline);
}

static unsigned read_number(FILE *file) {
    unsigned char b[4];
    if (fread(b, 1, 4, file) != 4) fail("the plan is too short");
    return (unsigned)b[0] << 24 | b[1] << 16 | b[2] << 8 | b[3];
}

static struct blob read_blob(FILE *file) {
    struct blob blob = {.length = read_number(file)};
    blob.bytes = malloc(blob.length + 1);
    if (fread(blob.bytes, 1, blob.length, file) != blob.length) fail("the plan is too short");
    return blob;
}

static void read_plan(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail("%s: %s", path, strerror(errno));
    count = read_number(file);
    conns = calloc(count, sizeof *conns);
    for (struct conn *c = conns; c < conns + count; c++) {
        c->certificate = read_blob(file);
        c->key = read_blob(file);
        c->first = read_blob(file);
        c->second = read_blob(file);
        c->publish = read_blob(file);
        c->request = read_number(file);
    }
    fclose(file);
}

static void make_context(void) {
    context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    /* As a node of ours does it: the leaf alone, no chain. */
    SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL); /* the server is what is measured */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (cwp && SSL_CTX_set_alpn_protos(context, (const unsigned char *)"\x05" "cwp/1", 6)) fail("alpn");
}

int main(int argc, char **argv) {
    char line[64];
    int rounds;
    if (argc != 4) fail("usage: generator cwp|nats PORT PLAN");
    cwp = !strcmp(argv[1], "cwp");
    address.sin_family = AF_INET;
    address.sin_port = htons((unsigned short)atoi(argv[2]));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    epoll_fd = epoll_create1(0);
    make_context();
    read_plan(argv[3]);
    while (fgets(line, sizeof line, stdin)) {
        double started = now();
        if (!strncmp(line, "connect", 7)) connect_all();
        else if (sscanf(line, "fanout %d", &rounds) == 1) while (rounds--) run_round('o');
        else if (sscanf(line, "fanin %d", &rounds) == 1) while (rounds--) run_round('i');
        else if (sscanf(line, "ping %d", &rounds) == 1) while (rounds--) run_round('p');
        else fail("unknown command: %s", line);
        printf("ok %.6f\n", now() - started);
        fflush(stdout);
    }
    return 0;
}
