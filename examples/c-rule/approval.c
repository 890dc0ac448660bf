/* An approval rule in C: voters approve of options, the most approvals win.
 *
 * It speaks the plugin ABI of docs/plugin-abi.md with no library at all, and gives the same outcome
 * bytes as the Rust crate next door, examples/custom-rule. Build it with build.sh.
 */

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef __int128 i128;
typedef unsigned __int128 u128;

#define EXPORT(name) __attribute__((export_name(name)))
#define OPTIONS_MAX 256
#define OUTPUT_MAX 65536
#define TITLE_MAX 120

/* Linked with --import-undefined off, a module needs these two where the compiler calls them. */
void *memcpy(void *to, const void *from, __SIZE_TYPE__ n) {
    u8 *t = to;
    const u8 *f = from;
    while (n--) *t++ = *f++;
    return to;
}
void *memset(void *to, int value, __SIZE_TYPE__ n) {
    u8 *t = to;
    while (n--) *t++ = (u8)value;
    return to;
}

/* The host writes at most config_bytes (256 KiB) into the buffer. */
static u8 input[262144];
static u8 output[OUTPUT_MAX];
static u32 output_len;

static u32 options;
static char titles[OPTIONS_MAX][TITLE_MAX];
static u32 title_lens[OPTIONS_MAX];
static u64 votes[OPTIONS_MAX];

static const char *said = "";

/* Address in the high half, length in the low half. */
static u64 place(const void *at, u32 len) { return (u64)(__SIZE_TYPE__)at << 32 | len; }

static u32 length(const char *text) {
    u32 n = 0;
    while (text[n]) n++;
    return n;
}

static u32 refuse(u32 code, const char *why) {
    said = why;
    return code;
}

/* --- reading --------------------------------------------------------------------------------- */

struct reader {
    const u8 *at, *end;
    int bad;
};

/* LEB128 in the fewest bytes; anything else is not canonical. */
static u64 take(struct reader *r) {
    u64 value = 0;
    for (u32 shift = 0; shift < 64; shift += 7) {
        if (r->at == r->end) break;
        u8 byte = *r->at++;
        if (shift == 63 && byte > 1) break;
        value |= (u64)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0) break;
            return value;
        }
    }
    r->bad = 1;
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

static void put(u8 byte) {
    if (output_len == OUTPUT_MAX) __builtin_trap();
    output[output_len++] = byte;
}

static void put_number(u128 value) {
    while (value >= 0x80) {
        put((u8)value | 0x80);
        value >>= 7;
    }
    put((u8)value);
}

/* A Number of the outcome: tag 0, then a zigzag integer. */
static void put_whole(u64 value) {
    put(0);
    put_number((u128)value << 1);
}

static void put_text(const char *text) {
    u32 n = length(text);
    put_number(n);
    for (u32 i = 0; i < n; i++) put((u8)text[i]);
}

/* --- exports --------------------------------------------------------------------------------- */

EXPORT("tabella_abi_v1") void tabella_abi_v1(void) {}

EXPORT("buffer") u8 *buffer(u32 len) {
    if (len > sizeof input) __builtin_trap();
    return input;
}

EXPORT("describe") u64 describe(void) {
    static const char manifest[] =
        "{\"abi\":1,\"name\":\"custom-rule\",\"version\":\"0.1.0\","
        "\"summary\":\"Voters approve of a few options; the most approvals win.\","
        "\"licence\":\"Apache-2.0\",\"ballot\":\"approval\",\"params\":["
        "{\"name\":\"marks_max\",\"about\":\"How many options a voter may approve of.\","
        "\"kind\":\"integer\",\"min\":1,\"max\":100,\"default\":2}]}";
    return place(manifest, sizeof manifest - 1);
}

static u64 marks_max;

/* Options (id, title), then one value for each parameter: here one integer, tag 1, zigzag. */
EXPORT("configure") u32 configure(u32 len) {
    struct reader r = {input, input + len, 0};
    u64 count = take(&r);
    if (r.bad || count > OPTIONS_MAX) return refuse(1, "at most 256 options");
    for (u64 option = 0; option < count; option++) {
        for (int part = 0; part < 2; part++) {
            u64 n = take(&r);
            if (r.bad || n > (u64)(r.end - r.at)) return refuse(1, "the configuration is cut off");
            if (part == 1) {
                if (n > TITLE_MAX) return refuse(1, "titles of at most 120 bytes");
                memcpy(titles[option], r.at, n);
                title_lens[option] = (u32)n;
            }
            r.at += n;
        }
    }
    u64 params = take(&r), tag = take(&r), zigzag = take(&r);
    if (r.bad || params != 1 || tag != 1 || r.at != r.end) {
        return refuse(1, "the configuration's bytes do not fit the manifest");
    }
    options = (u32)count;
    marks_max = zigzag >> 1;
    return 0;
}

/* Options in ascending order. 0: fine; 1: not a ballot. Adds `weight` to `votes` where it counts. */
static u32 read_ballot(const u8 *at, const u8 *end, u64 weight, u64 *marks) {
    struct reader r = {at, end, 0};
    u64 above = 0;
    *marks = 0;
    while (r.at != r.end) {
        u64 option = take(&r);
        if (r.bad) return refuse(1, "the ballot's bytes are cut off or not canonical");
        if (option >= options) {
            return refuse(1, "the ballot names an option that is not in the contest");
        }
        if (option < above) return refuse(1, "the ballot names an option twice or out of order");
        above = option + 1;
        /* A count that wraps would lie. */
        if (__builtin_add_overflow(votes[option], weight, &votes[option])) __builtin_trap();
        ++*marks;
    }
    return 0;
}

EXPORT("validate") u32 validate(u32 len) {
    u64 marks;
    u32 code = read_ballot(input, input + len, 0, &marks);
    if (code) return code;
    return marks > marks_max ? refuse(2, "approve of fewer options") : 0;
}

/* For each ballot its weight, its length and its bytes. */
EXPORT("fold") u32 fold(u32 len) {
    struct reader r = {input, input + len, 0};
    while (r.at != r.end) {
        u64 weight = take(&r), n = take(&r), marks;
        if (r.bad || n > (u64)(r.end - r.at)) return refuse(1, "the batch is cut off");
        u32 code = read_ballot(r.at, r.at + n, weight, &marks);
        if (code) return code;
        r.at += n;
    }
    return 0;
}

/* What save wrote is this plugin's own business: here the votes, one number for each option. */
EXPORT("save") u64 save(void) {
    output_len = 0;
    for (u32 option = 0; option < options; option++) put_number(votes[option]);
    return place(output, output_len);
}

EXPORT("merge") u32 merge(u32 len) {
    struct reader r = {input, input + len, 0};
    for (u32 option = 0; option < options; option++) {
        u64 more = take(&r);
        if (r.bad) return refuse(1, "the bytes are not a saved tally");
        if (__builtin_add_overflow(votes[option], more, &votes[option])) __builtin_trap();
    }
    return r.at == r.end ? 0 : refuse(1, "the bytes are not a saved tally");
}

/* Who decides ties, and every option, the one that wins ties first. */
EXPORT("finish") u64 finish(u32 len) {
    static const char *deciders[] = {"seed", "order", "report"};
    struct reader r = {input, input + len, 0};
    u64 decider = take(&r), count = take(&r), most = 0;
    u32 order[OPTIONS_MAX], winners[OPTIONS_MAX], tied = 0, won = 0;
    if (r.bad || decider > 2 || count != options) return 0;
    for (u32 i = 0; i < options; i++) {
        u64 option = take(&r);
        if (r.bad || option >= options) return 0;
        order[i] = (u32)option;
    }
    for (u32 option = 0; option < options; option++) {
        if (votes[option] > most) most = votes[option];
    }
    for (u32 option = 0; option < options; option++) tied += most > 0 && votes[option] == most;
    if (tied <= 1 || decider == 2) {
        for (u32 option = 0; option < options; option++) {
            if (most > 0 && votes[option] == most) winners[won++] = option;
        }
    } else {
        for (u32 i = 0; i < options && won == 0; i++) {
            if (votes[order[i]] == most) winners[won++] = order[i];
        }
    }
    output_len = 0;
    put_number(won);
    for (u32 i = 0; i < won; i++) put_number(winners[i]);
    put_number(tied > 1); /* ties */
    if (tied > 1) {
        put_number(tied);
        for (u32 option = 0; option < options; option++) {
            if (votes[option] == most) put_number(option);
        }
        put_text("the most approvals");
        put_text(deciders[decider]);
    }
    put_number(options); /* options: votes, elected, seats */
    for (u32 option = 0; option < options; option++) {
        u32 elected = 0;
        for (u32 i = 0; i < won; i++) elected |= winners[i] == option;
        put_whole(votes[option]);
        put((u8)elected);
        put_number(elected);
    }
    put_number(0); /* rounds */
    put(0);        /* quota: none */
    put_number(0); /* pairwise */
    if (won == 0) {
        put_text("No option has a vote, so nobody wins.");
        return place(output, output_len);
    }
    static const char ending[] = " has the most approvals.";
    u32 bytes = length(ending);
    for (u32 i = 0; i < won; i++) {
        bytes += title_lens[winners[i]];
        if (i > 0) bytes += i + 1 == won ? 5 : 2;
    }
    put_number(bytes);
    for (u32 i = 0; i < won; i++) {
        const char *joint = i == 0 ? "" : i + 1 == won ? " and " : ", ";
        for (; *joint; joint++) put((u8)*joint);
        for (u32 b = 0; b < title_lens[winners[i]]; b++) put((u8)titles[winners[i]][b]);
    }
    for (u32 i = 0; ending[i]; i++) put((u8)ending[i]);
    return place(output, output_len);
}

EXPORT("message") u64 message(void) { return place(said, length(said)); }
