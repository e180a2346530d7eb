/* Decompression of raw DEFLATE data (RFC 1951) from memory to memory. */
#ifndef PLUMBLINE_INFLATE_H
#define PLUMBLINE_INFLATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INFLATE_LITERALS 288
#define INFLATE_DISTANCES 32
#define INFLATE_LONGEST_CODE 15

struct inflate_input {
    const uint8_t *next, *end;
    uint64_t bits; /* the next bits, the first one lowest */
    unsigned count;
};

/* Every possible sequence of `width` bits gives a symbol (times 16) and the length of its code; 0 if none begins so. */
struct inflate_code {
    uint16_t table[1 << INFLATE_LONGEST_CODE];
    unsigned width;
};

/* Have at least 56 bits at hand, enough for a length and a distance with all that belongs to them. */
static void inflate_refill(struct inflate_input *in)
{
    for (; in->count <= 56; in->count += 8)
        in->bits |= (uint64_t)(in->next < in->end ? *in->next++ : 0) << in->count;
}

static unsigned inflate_take(struct inflate_input *in, unsigned count)
{
    unsigned value = (unsigned)(in->bits & ((1u << count) - 1));
    in->bits >>= count;
    in->count -= count;
    return value;
}

static int inflate_symbol(struct inflate_input *in, const struct inflate_code *code)
{
    unsigned found = code->table[in->bits & ((1u << code->width) - 1)];
    inflate_take(in, found & 15);
    return found == 0 ? -1 : (int)(found >> 4);
}

/* Build the table from the lengths of the codes of all symbols, 0 for symbols that do not occur (section 3.2.2). */
static void inflate_build(struct inflate_code *code, const uint8_t *lengths, unsigned symbols)
{
    unsigned next = 0;
    code->width = 1;
    for (unsigned i = 0; i < symbols; i++)
        if (lengths[i] > code->width)
            code->width = lengths[i];
    memset(code->table, 0, sizeof *code->table << code->width);
    for (unsigned length = 1; length <= code->width; length++, next <<= 1)
        for (unsigned symbol = 0; symbol < symbols; symbol++) {
            if (lengths[symbol] != length)
                continue;
            unsigned reversed = 0; /* codes come highest bit first, everything else lowest bit first */
            for (unsigned bit = 0; bit < length; bit++)
                reversed |= (next >> bit & 1) << (length - 1 - bit);
            for (unsigned i = reversed; i < 1u << code->width; i += 1u << length)
                code->table[i] = (uint16_t)(symbol << 4 | length);
            next++;
        }
}

/* Read the codes of one block (section 3.2.7). */
static int inflate_read_codes(struct inflate_input *in, struct inflate_code *literals, struct inflate_code *distances)
{
    static const uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[INFLATE_LITERALS + INFLATE_DISTANCES] = {0}, of_lengths[19] = {0};
    inflate_refill(in);
    unsigned literal_count = inflate_take(in, 5) + 257, distance_count = inflate_take(in, 5) + 1;
    unsigned all = literal_count + distance_count;
    for (unsigned i = 0, count = inflate_take(in, 4) + 4; i < count; i++) {
        inflate_refill(in);
        of_lengths[order[i]] = (uint8_t)inflate_take(in, 3);
    }
    inflate_build(literals, of_lengths, 19);
    for (unsigned i = 0; i < all;) {
        inflate_refill(in);
        int symbol = inflate_symbol(in, literals);
        unsigned repeat = symbol < 16 ? 1 : symbol == 16 ? 3 + inflate_take(in, 2) : symbol == 17 ? 3 + inflate_take(in, 3)
                                                                                                  : 11 + inflate_take(in, 7);
        uint8_t length = symbol == 16 && i > 0 ? lengths[i - 1] : symbol < 16 ? (uint8_t)symbol : 0;
        if (symbol < 0 || i + repeat > all)
            return 0;
        for (; repeat > 0; repeat--)
            lengths[i++] = length;
    }
    inflate_build(literals, lengths, literal_count);
    inflate_build(distances, lengths + literal_count, distance_count);
    return 1;
}

static void inflate_fixed_codes(struct inflate_code *literals, struct inflate_code *distances)
{
    uint8_t lengths[INFLATE_LITERALS];
    for (unsigned i = 0; i < INFLATE_LITERALS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    inflate_build(literals, lengths, INFLATE_LITERALS);
    memset(lengths, 5, INFLATE_DISTANCES);
    inflate_build(distances, lengths, INFLATE_DISTANCES);
}

/* Decompress `in` to exactly `size` bytes of `out`; return whether that is what it held. */
static int inflate_to(uint8_t *out, size_t size, const uint8_t *data, size_t data_size)
{
    static const uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                             31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t length_bits[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                            2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static struct inflate_code literals, distances;
    struct inflate_input in = {.next = data, .end = data + data_size};
    size_t at = 0;
    for (int is_last = 0; !is_last;) {
        inflate_refill(&in);
        is_last = (int)inflate_take(&in, 1);
        unsigned type = inflate_take(&in, 2);
        if (type == 0) { /* stored: whole bytes follow, of which some are in `bits` already */
            inflate_take(&in, in.count & 7);
            inflate_refill(&in);
            size_t length = inflate_take(&in, 16);
            inflate_take(&in, 16);
            if (length > size - at)
                return 0;
            for (; length > 0; length--) {
                inflate_refill(&in);
                out[at++] = (uint8_t)inflate_take(&in, 8);
            }
            continue;
        }
        if (type == 1)
            inflate_fixed_codes(&literals, &distances);
        else if (type != 2 || !inflate_read_codes(&in, &literals, &distances))
            return 0;
        for (;;) {
            inflate_refill(&in);
            int symbol = inflate_symbol(&in, &literals);
            if (symbol == 256)
                break;
            if (symbol >= 0 && symbol < 256 && at < size) {
                out[at++] = (uint8_t)symbol;
                continue;
            }
            if (symbol < 257 || symbol > 285)
                return 0;
            size_t length = length_base[symbol - 257] + inflate_take(&in, length_bits[symbol - 257]);
            int step = inflate_symbol(&in, &distances);
            if (step < 0 || step > 29)
                return 0;
            /* Two steps for each further bit (section 3.2.5). */
            unsigned extra = step < 4 ? 0 : (unsigned)step / 2 - 1;
            size_t distance = step < 4 ? (size_t)step + 1 : ((2u + ((unsigned)step & 1)) << extra) + 1;
            distance += inflate_take(&in, extra);
            if (distance > at || length > size - at)
                return 0;
            for (; length > 0; length--, at++)
                out[at] = out[at - distance];
        }
    }
    return at == size;
}

#endif
