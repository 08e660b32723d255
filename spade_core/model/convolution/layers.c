/* SPDX-License-Identifier: Apache-2.0
 *
 * A layer of a SPADE generator in one pass over memory: its features doubled in size, their noise, norm, scale and shift
 * by the label map, leaky ReLU, and the convolution behind all that, a few rows at a time, so that what lies between
 * stays in the cache. The plain PyTorch in convolution.py says what is computed; this file has to give the same.
 *
 * Feature maps are (height, width, channels), the channels of a pixel side by side, one picture a call.
 *
 * The 3x3 convolution is Winograd's F(4x4, 3x3): of a tile of 6x6 pixels 36 sums are taken, each is multiplied by a
 * matrix of its own, and 4x4 results are sums of those: a quarter of the multiplications. With the points 0, +-3/4,
 * +-3/2 it rounds no worse than the plain convolution does. (Lavin and Gray, "Fast Algorithms for Convolutional Neural
 * Networks", CVPR 2016; Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution", 2020.)
 * For wide layers on small maps reading 36 matrices takes longest: there it is F(2x2, 3x3), with 16.
 *
 * For previews the 36 sums and matrices are rounded to bfloat16 where a processor multiplies that, two at once; all else
 * stays float32, what products are added up in, too.
 *
 * This file includes itself once for each kind of processor, and once more for bfloat16.
 */
#ifndef LANES

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CHANNELS 2048
#define MOST_TILE 4 /* pixels of a tile's side */
#define MOST_WINDOW (MOST_TILE + 2)
#define TILES 24 /* that are multiplied together; a multiple of every ROWS */
#define APART 64 /* bytes between matrices, so that they do not all claim the same lines of the cache */
#define BLOCK 2 /* panels of results that are added up while their products are in the cache */

enum { AS_IS, NEAREST, BILINEAR };
enum { NO_NORM, PIXEL_NORM, CHANNEL_NORM };

/* Features, and what is made of them. Pointers may be NULL where a network has no such thing. */
typedef struct {
    const float *x;        /* (height, width, channels), half of that where they are to be doubled */
    const float *noise;    /* (height, width) */
    const float *strength; /* (channels,) of the noise */
    const float *mean;     /* (channels,) of CHANNEL_NORM */
    const float *scale;
    const float *table;  /* rows of 2 or 4 times channels: 1 + gamma, beta; then those of the shortcut */
    const float *shift;  /* (2 or 4 times channels,): added to each row of the table, or NULL */
    const float *slopes; /* (channels,) below zero; NULL: `slope` */
    const int32_t *rows; /* (height, width) which row is a pixel's; NULL: pixel p has row p */
    int64_t height, width, stride; /* stride: numbers in a row of the table */
    int32_t channels, doubling, norm, repeat_edge; /* repeat_edge: past the border there is the edge, else zeros */
    float eps, slope;
} Features;

/* What they are multiplied by, and where that goes. */
typedef struct {
    const void *weights;   /* ((tile + 2)^2, panels, channels, LANES), in panels of LANES results; of bfloat16 those of
                            * two channels side by side, (..., channels / 2, LANES, 2) */
    const float *bias;     /* (fan_out,) */
    const float *added;    /* (height, width, fan_out), or NULL */
    float *result;         /* (height, width, fan_out) */
    const void *shortcut;  /* (panels, channels, LANES), or NULL; of bfloat16 as the weights */
    float *skip;           /* (height, width, skip_channels): the shortcut's, or the features with their noise; or NULL */
    int32_t fan_out, skip_channels, tile, bfloat16; /* tile: 4 or 2 */
} Convolution;

/* Rows by matrices: of each result the rows at its places, each times the matrix of that place, added up. */
typedef struct {
    const void *rows;       /* (count, inner), float32 or bfloat16; there is room up to the next multiple of 12 */
    const void *matrices;   /* (blocks, places, BLOCK, inner, LANES), results past the width zeros; of bfloat16 as above */
    const int64_t *members; /* (results, places): which rows; NULL: each row alone, at the one place */
    const float *bias;      /* (width,) */
    float *result;          /* (results, width) */
    int64_t count, inner, places, results, width;
    int32_t bfloat16;
} Sums;

static inline int64_t up_to(int64_t number, int64_t step) { return (number + step - 1) / step * step; }

#define JOINED(a, b) a##_##b
#define NAMED(a, b) JOINED(a, b)

#if defined(__x86_64__) && defined(__GNUC__)
#if defined(__clang__) ? __clang_major__ >= 10 : __GNUC__ >= 11
#include <immintrin.h>
#define KNOWS_BFLOAT16
#endif
#if defined(__clang__)
#define FOR_BFLOAT16 \
    _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512vl,avx512bf16,fma\"))), apply_to = function)")
#define FOR_V3 _Pragma("clang attribute push(__attribute__((target(\"avx2,fma\"))), apply_to = function)")
#define FOR_V4 _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512vl,fma\"))), apply_to = function)")
#define FOR_ALL _Pragma("clang attribute pop")
#else
#define FOR_BFLOAT16 _Pragma("GCC push_options") _Pragma("GCC target(\"avx512f,avx512vl,avx512bf16,fma\")")
#define FOR_V3 _Pragma("GCC push_options") _Pragma("GCC target(\"avx2,fma\")")
#define FOR_V4 _Pragma("GCC push_options") _Pragma("GCC target(\"avx512f,avx512vl,fma\")")
#define FOR_ALL _Pragma("GCC pop_options")
#endif

FOR_V3
#define LANES 8
#define ROWS 6
#define KIND v3
#include "layers.c"
#undef LANES
#undef ROWS
#undef KIND
FOR_ALL

FOR_V4
#define LANES 16
#define ROWS 12
#define KIND v4
#include "layers.c"
#undef KIND
FOR_ALL

#ifdef KNOWS_BFLOAT16
FOR_BFLOAT16
#define BFLOAT16
#define KIND bfloat16
#include "layers.c"
#undef BFLOAT16
#undef KIND
FOR_ALL
#endif
#undef LANES
#undef ROWS
#endif

#define LANES 4
#define ROWS 6
#define KIND any
#include "layers.c"

/* How many results a panel of weights has; 4 where this processor has no wide registers that are known here. */
int32_t lanes(void) {
#if defined(__x86_64__) && defined(__GNUC__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return 16;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return 8;
#endif
    return 4;
}

/* Whether this processor multiplies bfloat16, and the compiler knew how to tell it. */
int32_t has_bfloat16(void) {
#ifdef KNOWS_BFLOAT16
    return lanes() == 16 && __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}

#ifdef KNOWS_BFLOAT16
#define BY_THIS(name, by, ...) (by->bfloat16 ? name##_bfloat16(__VA_ARGS__) : ON_THIS(name, __VA_ARGS__))
#else
#define BY_THIS(name, by, ...) ON_THIS(name, __VA_ARGS__)
#endif
#if defined(__x86_64__) && defined(__GNUC__)
#define ON_THIS(name, ...) (lanes() == 16 ? name##_v4(__VA_ARGS__) : lanes() == 8 ? name##_v3(__VA_ARGS__) : name##_any(__VA_ARGS__))
#else
#define ON_THIS(name, ...) name##_any(__VA_ARGS__)
#endif

/* Numbers that `convolve` wants to put aside. */
int64_t aside(const Features *of, const Convolution *by) { return BY_THIS(aside, by, of, by); }

/* Rows first to last of the result, both multiples of `rows_at_once` or the height, and of its panels those of `part`, one
 * of `parts`; scratch: as many numbers as `aside` says. */
void convolve(const Features *of, const Convolution *by, float *scratch, int64_t first, int64_t last, int64_t part,
              int64_t parts) {
    BY_THIS(convolve, by, of, by, scratch, first, last, part, parts);
}

int64_t rows_at_once(int64_t width, int64_t tile) { return tile * ON_THIS(at_once, (width + tile - 1) / tile); }

/* Columns of a block. */
int64_t block(void) { return BLOCK * lanes(); }

/* Numbers that `add_up` wants to put aside. */
int64_t put_aside(const Sums *by) { return (by->members ? up_to(by->count, 12) * by->places : 12) * block(); }

/* Blocks first to last of the results. */
void add_up(const Sums *by, float *scratch, int64_t first, int64_t last) { BY_THIS(add_up, by, by, scratch, first, last); }

/* ---- Which places of a map see the same: ids of pairs of ids. ---- */

typedef struct {
    uint64_t *pairs;
    int32_t *ids;
    uint64_t mask;
} Known;

static int grown(Known *known, uint64_t slots) {
    Known next = {malloc(slots * sizeof(uint64_t)), malloc(slots * sizeof(int32_t)), slots - 1};
    if (!next.pairs || !next.ids) {
        free(next.pairs), free(next.ids);
        return 0;
    }
    for (uint64_t slot = 0; slot < slots; slot++) next.ids[slot] = -1;
    for (uint64_t slot = 0; known->ids && slot <= known->mask; slot++) {
        if (known->ids[slot] < 0) continue;
        uint64_t place = known->pairs[slot] * 0x9e3779b97f4a7c15u >> 20 & next.mask;
        while (next.ids[place] >= 0) place = (place + 1) & next.mask;
        next.pairs[place] = known->pairs[slot], next.ids[place] = known->ids[slot];
    }
    free(known->pairs), free(known->ids);
    *known = next;
    return 1;
}

/* a, b: (images, height, width) with strides. ids: (images, height, width), numbers from 0 up in the order in which the
 * pairs are met; places: where each was met first. Returns how many there are; -1 where they are more than `most`, -2
 * without memory. */
int64_t pairs(const int32_t *a, const int32_t *b, int64_t a_image, int64_t a_row, int64_t b_image, int64_t b_row,
              int64_t images, int64_t height, int64_t width, int32_t *ids, int64_t *places, int64_t most) {
    Known known = {NULL, NULL, 0};
    int64_t count = 0, place = 0;
    if (!grown(&known, 4096)) return -2;
    for (int64_t image = 0; image < images; image++)
        for (int64_t y = 0; y < height; y++) {
            const int32_t *left = a + image * a_image + y * a_row, *right = b + image * b_image + y * b_row;
            uint64_t last = 0;
            int32_t id = -1;
            for (int64_t x = 0; x < width; x++, place++) {
                const uint64_t pair = (uint64_t)(uint32_t)left[x] << 32 | (uint32_t)right[x];
                if (id < 0 || pair != last) {
                    uint64_t slot = pair * 0x9e3779b97f4a7c15u >> 20 & known.mask;
                    while (known.ids[slot] >= 0 && known.pairs[slot] != pair) slot = (slot + 1) & known.mask;
                    if (known.ids[slot] < 0) {
                        if (count == most) {
                            free(known.pairs), free(known.ids);
                            return -1;
                        }
                        known.pairs[slot] = pair, known.ids[slot] = (int32_t)count;
                        places[count++] = place;
                        id = (int32_t)(count - 1);
                        if (2 * (uint64_t)count > known.mask && !grown(&known, 4 * (known.mask + 1))) {
                            free(known.pairs), free(known.ids);
                            return -2;
                        }
                    } else {
                        id = known.ids[slot];
                    }
                    last = pair;
                }
                ids[place] = id;
            }
        }
    free(known.pairs), free(known.ids);
    return count;
}

#else

#define OWN(name) NAMED(name, KIND)
#define VEC OWN(vec)
typedef float VEC __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static inline VEC OWN(all)(float number) { return number - (VEC){0}; }
#define AT(pointer) (*(VEC *)(pointer))
#define FROM(pointer) (*(const VEC *)(pointer))

/* What is multiplied: FACTORS of them by one instruction, which adds their products up. */
#define FACTOR OWN(factor)
#ifdef BFLOAT16
typedef uint16_t FACTOR;
typedef uint32_t OWN(two) __attribute__((aligned(2), may_alias));
typedef __m512bh OWN(twos) __attribute__((aligned(2), may_alias));
#define FACTORS 2
#define ALL_OF(pointer) ((__m512bh)_mm512_set1_epi32((int)*(const OWN(two) *)(pointer)))
#define FACTORS_FROM(pointer) (*(const OWN(twos) *)(pointer))
#define ADD_PRODUCT(sum, a, b) sum = (VEC)_mm512_dpbf16_ps((__m512)sum, a, b)
#define ROUNDED_TO(pointer, numbers) _mm256_storeu_si256((__m256i *)(pointer), (__m256i)_mm512_cvtneps_pbh((__m512)(numbers)))
typedef __m512bh OWN(factors);
#else
typedef float FACTOR;
#define FACTORS 1
#define ALL_OF(pointer) OWN(all)(*(pointer))
#define FACTORS_FROM(pointer) FROM(pointer)
#define ADD_PRODUCT(sum, a, b) sum += a * b
#define ROUNDED_TO(pointer, numbers) AT(pointer) = numbers
typedef VEC OWN(factors);
#endif

/* ROWS rows of `a` by one or two panels: c[r][n] = bias[n] + sum over k of a[r][k] * panel[k][n]; bias: or NULL. */
static inline __attribute__((always_inline)) void OWN(multiplied)(int panels, int64_t inner, const FACTOR *a,
                                                                  int64_t a_row, const FACTOR *b, const float *bias,
                                                                  float *c, int64_t c_row) {
    VEC sums[ROWS][2];
    const FACTOR *second = b + up_to(inner, FACTORS) * LANES;
    const VEC none = OWN(all)(0), to_left = bias ? FROM(bias) : none;
    const VEC to_right = bias && panels == 2 ? FROM(bias + LANES) : none;
#pragma GCC unroll 16
    for (int row = 0; row < ROWS; row++) sums[row][0] = to_left, sums[row][1] = to_right;
    for (int64_t k = 0; k < inner; k += FACTORS) {
        const OWN(factors) left = FACTORS_FROM(b + k * LANES);
        const OWN(factors) right = panels == 2 ? FACTORS_FROM(second + k * LANES) : left;
#pragma GCC unroll 16
        for (int row = 0; row < ROWS; row++) {
            const OWN(factors) number = ALL_OF(a + row * a_row + k);
            ADD_PRODUCT(sums[row][0], number, left);
            if (panels == 2) ADD_PRODUCT(sums[row][1], number, right);
        }
    }
#pragma GCC unroll 16
    for (int row = 0; row < ROWS; row++) {
        AT(c + row * c_row) = sums[row][0];
        if (panels == 2) AT(c + row * c_row + LANES) = sums[row][1];
    }
}

/* c (rows, c_row) = a (rows, a_row) by panels (panels, inner, LANES); rows a multiple of ROWS. */
static void OWN(product)(int64_t rows, int64_t panels, int64_t inner, const FACTOR *a, int64_t a_row, const FACTOR *b,
                         float *c, int64_t c_row) {
    for (int64_t panel = 0; panel < panels; panel += 2) {
        const FACTOR *of_panel = b + panel * up_to(inner, FACTORS) * LANES;
        if (panel + 1 < panels)
            for (int64_t row = 0; row < rows; row += ROWS)
                OWN(multiplied)(2, inner, a + row * a_row, a_row, of_panel, NULL, c + row * c_row + panel * LANES, c_row);
        else
            for (int64_t row = 0; row < rows; row += ROWS)
                OWN(multiplied)(1, inner, a + row * a_row, a_row, of_panel, NULL, c + row * c_row + panel * LANES, c_row);
    }
}

/* Blocks first to last of the results where each is of a row of its own. */
static void OWN(add_each)(const Sums *by, float *scratch, int64_t first, int64_t last) {
    const int64_t wide = BLOCK * LANES, inner = up_to(by->inner, FACTORS);
    for (int64_t row = 0; row < by->count; row += ROWS)
        for (int64_t block = first; block < last; block++) {
            const int64_t rows = by->count - row < ROWS ? by->count - row : ROWS, start = block * wide;
            const int64_t columns = by->width - start < wide ? by->width - start : wide;
            const int is_whole = rows == ROWS && columns == wide;
            float *result = by->result + row * by->width + start, bias[BLOCK * LANES] = {0};
            memcpy(bias, by->bias + start, columns * 4);
            OWN(multiplied)(BLOCK, by->inner, (const FACTOR *)by->rows + row * inner, inner,
                            (const FACTOR *)by->matrices + start * inner, bias, is_whole ? result : scratch,
                            is_whole ? by->width : wide);
            for (int64_t each = 0; !is_whole && each < rows; each++)
                memcpy(result + each * by->width, scratch + each * wide, columns * 4);
        }
}

void OWN(add_up)(const Sums *by, float *scratch, int64_t first, int64_t last) {
    const int64_t places = by->places, wide = BLOCK * LANES, apart = places * wide, inner = up_to(by->inner, FACTORS);
    if (!by->members) {
        OWN(add_each)(by, scratch, first, last);
        return;
    }
    for (int64_t block = first; block < last; block++) {
        const FACTOR *matrices = (const FACTOR *)by->matrices + block * apart * inner;
        const int64_t start = block * wide, columns = by->width - start < wide ? by->width - start : wide;
        float bias[BLOCK * LANES] = {0}, sums[BLOCK * LANES];
        memcpy(bias, by->bias + start, columns * 4);
        OWN(product)(up_to(by->count, ROWS), places * BLOCK, by->inner, by->rows, inner, matrices, scratch, apart);
        for (int64_t result = 0; result < by->results; result++) {
            VEC left = FROM(bias), right = FROM(bias + LANES);
            for (int64_t place = 0; place < places; place++) {
                const float *product = scratch + by->members[result * places + place] * apart + place * wide;
                left += FROM(product), right += FROM(product + LANES);
            }
            float *to = by->result + result * by->width + start;
            AT(columns == wide ? to : sums) = left, AT((columns == wide ? to : sums) + LANES) = right;
            if (columns < wide) memcpy(to, sums, columns * 4);
        }
    }
}

/* As factors, in the same place; room for a whole vector is needed. */
static inline const FACTOR *OWN(rounded)(float *numbers, int64_t count) {
#ifdef BFLOAT16
    for (int64_t place = 0; place < count; place += LANES)
        ROUNDED_TO((FACTOR *)numbers + place, FROM(numbers + place));
#endif
    return (FACTOR *)numbers;
}

#define P 0.75f
#define Q 1.5f

/* Four or six numbers to the sums that are multiplied. */
static inline __attribute__((always_inline)) void OWN(to_sums)(int tile, const VEC *in, VEC *out,
                                                               int64_t out_step) {
    const VEC d0 = in[0], d1 = in[1], d2 = in[2], d3 = in[3];
    if (tile == 2) {
        out[0] = d0 - d2;
        out[out_step] = d1 + d2;
        out[2 * out_step] = d2 - d1;
        out[3 * out_step] = d3 - d1;
        return;
    }
    const VEC d4 = in[4], d5 = in[5];
    const VEC e = d4 - Q * Q * d2, f = P * d3 - P * Q * Q * d1, g = d4 - P * P * d2, h = Q * d3 - Q * P * P * d1;
    out[0] = P * P * Q * Q * d0 - (P * P + Q * Q) * d2 + d4;
    out[out_step] = e + f;
    out[2 * out_step] = e - f;
    out[3 * out_step] = g + h;
    out[4 * out_step] = g - h;
    out[5 * out_step] = P * P * Q * Q * d1 - (P * P + Q * Q) * d3 + d5;
}

/* The products to two or four results. */
static inline __attribute__((always_inline)) void OWN(from_sums)(int tile, const VEC *in, VEC *out,
                                                                 int64_t out_step) {
    const VEC a = in[1] + in[2], b = in[1] - in[2];
    if (tile == 2) {
        out[0] = in[0] + a;
        out[out_step] = b + in[3];
        return;
    }
    const VEC c = in[3] + in[4], d = in[3] - in[4];
    out[0] = in[0] + a + c;
    out[out_step] = P * b + Q * d;
    out[2 * out_step] = P * P * a + Q * Q * c;
    out[3 * out_step] = P * P * P * b + Q * Q * Q * d + in[5];
}

/* ---- A row of features as the convolution sees it. ---- */

/* One pixel: its features in `raw`, with noise; (1 + gamma) and beta at `scales`. */
static inline void OWN(normed)(const Features *of, float *restrict raw) {
    const int channels = of->channels;
    if (of->norm == PIXEL_NORM) {
        float sum = 0, squares = 0;
        for (int c = 0; c < channels; c++) sum += raw[c];
        const float mean = sum / channels;
        for (int c = 0; c < channels; c++) {
            raw[c] -= mean;
            squares += raw[c] * raw[c];
        }
        const float scale = 1 / sqrtf(squares / channels + of->eps);
        for (int c = 0; c < channels; c++) raw[c] *= scale;
    } else if (of->norm == CHANNEL_NORM) {
        const float *restrict mean = of->mean, *restrict scale = of->scale;
        for (int c = 0; c < channels; c++) raw[c] = (raw[c] - mean[c]) * scale[c];
    }
}

static inline void OWN(activated)(const float *restrict normed, const float *restrict scales,
                                  const float *restrict shift, int channels, float slope, float *restrict out) {
    if (scales && shift) {
        for (int c = 0; c < channels; c++) {
            const float value = normed[c] * (scales[c] + shift[c]) + (scales[channels + c] + shift[channels + c]);
            out[c] = value > 0 ? value : slope * value;
        }
    } else if (scales) {
        const float *restrict shifts = scales + channels;
        for (int c = 0; c < channels; c++) {
            const float value = normed[c] * scales[c] + shifts[c];
            out[c] = value > 0 ? value : slope * value;
        }
    } else {
        for (int c = 0; c < channels; c++) out[c] = normed[c] > 0 ? normed[c] : slope * normed[c];
    }
}

static inline void OWN(activated_each)(const float *restrict normed, const float *restrict slopes, int channels,
                                       float *restrict out) {
    for (int c = 0; c < channels; c++) out[c] = normed[c] > 0 ? normed[c] : slopes[c] * normed[c];
}

/* Row y of the features, (width, out_step) from out on; `between` holds a row of x. Where they are wanted, the features
 * with their noise go to `plain`, (width, channels), what the shortcut sees to `seen`, (width, channels). */
static void OWN(row)(const Features *of, int64_t y, float *out, int64_t out_step, float *between, float *plain,
                     float *seen) {
    const int channels = of->channels;
    const int64_t half = of->width / 2;
    float raw[MOST_CHANNELS];
    if (of->doubling == BILINEAR) {
        const int64_t own = y >> 1, next = y & 1 ? own + 1 : own - 1, last = of->height / 2 - 1;
        const float *restrict near = of->x + own * half * channels;
        const float *restrict far = of->x + (next < 0 ? 0 : next > last ? last : next) * half * channels;
        for (int64_t place = 0; place < half * channels; place++) between[place] = 0.75f * near[place] + 0.25f * far[place];
    }
    for (int64_t x = 0; x < of->width; x++) {
        const int64_t pixel = y * of->width + x;
        if (of->doubling == BILINEAR) {
            const int64_t own = x >> 1, next = x & 1 ? own + 1 : own - 1;
            const float *restrict near = between + own * channels;
            const float *restrict far = between + (next < 0 ? 0 : next >= half ? half - 1 : next) * channels;
            for (int c = 0; c < channels; c++) raw[c] = 0.75f * near[c] + 0.25f * far[c];
        } else {
            const float *in = of->x + (of->doubling == NEAREST ? (y >> 1) * half + (x >> 1) : pixel) * channels;
            memcpy(raw, in, channels * sizeof(float));
        }
        if (of->noise) {
            const float amount = of->noise[pixel];
            for (int c = 0; c < channels; c++) raw[c] += of->strength[c] * amount;
        }
        if (plain) memcpy(plain + x * channels, raw, channels * sizeof(float));
        OWN(normed)(of, raw);
        const float *scales = of->table ? of->table + (of->rows ? of->rows[pixel] : pixel) * of->stride : NULL;
        if (of->slopes)
            OWN(activated_each)(raw, of->slopes, channels, out + x * out_step);
        else
            OWN(activated)(raw, scales, of->shift, channels, of->slope, out + x * out_step);
        if (seen) {
            const float *shift = of->shift ? of->shift + 2 * channels : NULL;
            OWN(activated)(raw, scales + 2 * channels, shift, channels, 1, seen + x * channels);
        }
    }
}

/* ---- The convolution. ---- */

typedef struct {
    int64_t inner, outer, seen_rows; /* channels in and out, in whole vectors */
    int64_t tiles, wide;             /* of a row; pixels */
    int64_t at_once, ring_rows;      /* rows of tiles; of pixels that they look at */
    int64_t tile, sums_count;
    float *ring, *products, *between, *seen, *skipped;
    FACTOR *sums;
    int64_t sums_apart, products_apart; /* between matrices */
    int64_t first_panel, last_panel, first_skipped, last_skipped; /* of the results, and of the shortcut's */
} OWN(Aside);

/* How many rows of tiles are taken together, so that few products are of no tile: narrow maps have few in a row. */
static int64_t OWN(at_once)(int64_t tiles) {
    int64_t best = 1, least = INT64_MAX;
    for (int64_t rows = 1; rows <= 4 && tiles < 2 * TILES; rows++) {
        const int64_t count = rows * tiles, products = (count / TILES * TILES + up_to(count % TILES, ROWS)) * 12 / rows;
        if (products < least) least = products, best = rows;
    }
    return best;
}

static OWN(Aside) OWN(parted)(const Features *of, const Convolution *by, float *scratch) {
    OWN(Aside) result;
    result.inner = up_to(of->channels, LANES);
    result.outer = up_to(by->fan_out, LANES);
    result.tile = by->tile;
    result.sums_count = (result.tile + 2) * (result.tile + 2);
    result.tiles = (of->width + result.tile - 1) / result.tile;
    result.wide = result.tiles * result.tile + 2;
    result.at_once = OWN(at_once)(result.tiles);
    result.ring_rows = result.at_once * result.tile + 2;
    result.seen_rows = by->shortcut ? up_to(of->width, ROWS) : 0;
    result.ring = scratch;
    result.sums_apart = TILES * result.inner + APART / sizeof(FACTOR);
    result.products_apart = TILES * result.outer + APART / sizeof(float);
    result.sums = (FACTOR *)(result.ring + result.ring_rows * result.wide * result.inner);
    result.products = (float *)(result.sums + result.sums_count * result.sums_apart);
    result.between = result.products + result.sums_count * result.products_apart;
    result.seen = result.between + of->width * of->channels;
    result.skipped = result.seen + up_to(result.seen_rows * of->channels, LANES);
    return result;
}

int64_t OWN(aside)(const Features *of, const Convolution *by) {
    const OWN(Aside) parts = OWN(parted)(of, by, NULL);
    return parts.skipped - (float *)NULL + parts.seen_rows * up_to(by->skip_channels, LANES);
}

/* Where a part of `panels` begins; the next begins where it ends. Two panels are multiplied together. */
static int64_t OWN(panel_of)(int64_t panels, int64_t part, int64_t parts) {
    const int64_t panel = (panels + 1) / 2 * part / parts * 2;
    return panel < panels ? panel : panels;
}

/* Row y, from -1 on, of what the convolution sees into its place in the ring; what else is made of it if it is `own`. */
static void OWN(ring_row)(const Features *of, const Convolution *by, const OWN(Aside) *parts, int64_t y, int own) {
    const int64_t inner = parts->inner, length = parts->wide * inner;
    float *row = parts->ring + (y + 1) % parts->ring_rows * length, *out = row + inner;
    if (y < 0 || y >= of->height) {
        if (of->repeat_edge && (y == -1 || y == of->height)) {
            const int64_t edge = y < 0 ? 0 : y - 1;
            if (y < 0) OWN(ring_row)(of, by, parts, edge, 0);
            memcpy(row, parts->ring + (edge + 1) % parts->ring_rows * length, length * 4);
        } else {
            memset(row, 0, length * 4);
        }
        return;
    }
    const int64_t channels = of->channels, skip_channels = by->skip_channels;
    own = own && (by->shortcut ? parts->last_skipped > parts->first_skipped : parts->first_panel == 0);
    float *skip = own && by->skip ? by->skip + y * of->width * skip_channels : NULL;
    OWN(row)(of, y, out, inner, parts->between, by->shortcut ? NULL : skip, by->shortcut && skip ? parts->seen : NULL);
    if (of->repeat_edge) {
        memcpy(row, out, inner * 4);
        memcpy(out + of->width * inner, out + (of->width - 1) * inner, inner * 4);
    }
    if (!by->shortcut || !skip) return;
    const int64_t outer = up_to(skip_channels, LANES), panels = parts->last_skipped - parts->first_skipped;
    const int64_t start = parts->first_skipped * LANES, end = start + panels * LANES;
    const FACTOR *seen = OWN(rounded)(parts->seen, parts->seen_rows * channels);
    OWN(product)(parts->seen_rows, panels, channels, seen, channels,
                 (const FACTOR *)by->shortcut + start * up_to(channels, FACTORS), parts->skipped + start, outer);
    for (int64_t x = 0; x < of->width; x++)
        memcpy(skip + x * skip_channels + start, parts->skipped + x * outer + start,
               ((end < skip_channels ? end : skip_channels) - start) * 4);
}

/* The sums of one tile: its top left pixel is column x of the ring, its first row is row y. */
static inline __attribute__((always_inline)) void OWN(tile_sums)(int side, const OWN(Aside) *parts, int64_t y,
                                                                 int64_t x, int64_t tile) {
    const int window = side + 2;
    const int64_t inner = parts->inner, apart = parts->sums_apart;
    const float *rows[MOST_WINDOW];
    for (int row = 0; row < window; row++) 
        rows[row] = parts->ring + ((y + row) % parts->ring_rows * parts->wide + x) * inner;
    for (int64_t c = 0; c < inner; c += LANES) {
        VEC in[MOST_WINDOW], half[MOST_WINDOW][MOST_WINDOW], out[MOST_WINDOW];
        for (int column = 0; column < window; column++) {
            for (int row = 0; row < window; row++) in[row] = FROM(rows[row] + column * inner + c);
            OWN(to_sums)(side, in, &half[0][column], MOST_WINDOW);
        }
        FACTOR *to = parts->sums + tile * inner + c;
        for (int row = 0; row < window; row++) {
            OWN(to_sums)(side, half[row], out, 1);
            for (int column = 0; column < window; column++)
                ROUNDED_TO(to + (row * window + column) * apart, out[column]);
        }
    }
}

/* The results of one tile, at row y and column x. */
static inline __attribute__((always_inline)) void OWN(tile_results)(int side, const Features *of, const Convolution *by,
                                                                    const OWN(Aside) *parts, int64_t y, int64_t x,
                                                                    int64_t tile) {
    const int window = side + 2;
    const int64_t outer = parts->outer, apart = parts->products_apart, fan_out = by->fan_out;
    const int64_t end = parts->last_panel * LANES;
    const int64_t high = of->height - y < side ? of->height - y : side;
    const int64_t wide = of->width - x < side ? of->width - x : side;
    for (int64_t c = parts->first_panel * LANES; c < end; c += LANES) {
        VEC in[MOST_WINDOW], half[MOST_TILE][MOST_WINDOW], out[MOST_TILE], bias = OWN(all)(0);
        const float *from = parts->products + tile * outer + c;
        const int64_t count = fan_out - c < LANES ? fan_out - c : LANES;
        memcpy(&bias, by->bias + c, count * 4);
        for (int column = 0; column < window; column++) {
            for (int row = 0; row < window; row++) in[row] = FROM(from + (row * window + column) * apart);
            OWN(from_sums)(side, in, &half[0][column], MOST_WINDOW);
        }
        for (int64_t row = 0; row < high; row++) {
            OWN(from_sums)(side, half[row], out, 1);
            const int64_t place = ((y + row) * of->width + x) * fan_out + c;
            for (int64_t column = 0; column < wide; column++) {
                const int64_t at = place + column * fan_out;
                VEC value = out[column] + bias;
                if (count == LANES) {
                    if (by->added) value += FROM(by->added + at);
                    AT(by->result + at) = value;
                } else {
                    for (int64_t lane = 0; lane < count; lane++)
                        by->result[at + lane] = value[lane] + (by->added ? by->added[at + lane] : 0);
                }
            }
        }
    }
}

/* Rows y to end of the result, of which the ring has what they look at. */
static inline __attribute__((always_inline)) void OWN(tiled)(int side, const Features *of, const Convolution *by,
                                                             const OWN(Aside) *parts, int64_t y, int64_t end) {
    const int64_t inner = parts->inner, outer = parts->outer, panels = outer / LANES;
    const int64_t start_at = parts->first_panel * LANES, channels = up_to(of->channels, FACTORS);
    const int64_t all = (end - y) / side * parts->tiles;
    for (int64_t start = 0; start < all; start += TILES) {
        const int64_t count = all - start < TILES ? all - start : TILES;
        for (int64_t tile = 0; tile < count; tile++) {
            const int64_t place = start + tile;
            OWN(tile_sums)(side, parts, y + place / parts->tiles * side, place % parts->tiles * side, tile);
        }
        for (int64_t sum = 0; sum < parts->sums_count; sum++)
            OWN(product)(up_to(count, ROWS), parts->last_panel - parts->first_panel, of->channels,
                         parts->sums + sum * parts->sums_apart, inner,
                         (const FACTOR *)by->weights + (sum * panels * LANES + start_at) * channels,
                         parts->products + sum * parts->products_apart + start_at, outer);
        for (int64_t tile = 0; tile < count; tile++) {
            const int64_t place = start + tile;
            OWN(tile_results)(side, of, by, parts, y + place / parts->tiles * side, place % parts->tiles * side, tile);
        }
    }
}

void OWN(convolve)(const Features *of, const Convolution *by, float *scratch, int64_t first, int64_t last, int64_t part,
                   int64_t count) {
    OWN(Aside) parts = OWN(parted)(of, by, scratch);
    const int64_t panels = parts.outer / LANES, skipped = up_to(by->skip_channels, LANES) / LANES;
    parts.first_panel = OWN(panel_of)(panels, part, count), parts.last_panel = OWN(panel_of)(panels, part + 1, count);
    parts.first_skipped = OWN(panel_of)(skipped, part, count);
    parts.last_skipped = OWN(panel_of)(skipped, part + 1, count);
    const int64_t step = parts.tile * parts.at_once;
    memset(parts.ring, 0, parts.ring_rows * parts.wide * parts.inner * 4);
    if (parts.seen_rows) memset(parts.seen, 0, up_to(parts.seen_rows * of->channels, LANES) * 4);
    for (int64_t y = first; y < last; y += step) {
        const int64_t end = y + up_to((y + step < last ? y + step : last) - y, parts.tile);
        for (int64_t row = y == first ? y - 1 : y + 1; row <= end; row++)
            OWN(ring_row)(of, by, &parts, row, row >= first && row < last);
        if (parts.tile == 2)
            OWN(tiled)(2, of, by, &parts, y, end);
        else
            OWN(tiled)(4, of, by, &parts, y, end);
    }
}

#undef OWN
#undef VEC
#undef AT
#undef FROM
#undef FACTOR
#undef FACTORS
#undef ALL_OF
#undef FACTORS_FROM
#undef ADD_PRODUCT
#undef ROUNDED_TO
#undef P
#undef Q
#endif
