/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done to each pixel's features alone, in one pass over memory, and its gradients in another. Feature maps are
 * (pixels, channels), the channels of a pixel side by side. Pixels from `first` to `last` are done, so that threads
 * share them. The plain PyTorch beside each caller says what is computed; this file has to give the same.
 *
 * modulate (modulation.py): noise, pixel norm, scale and shift by the label map, leaky ReLU. Several norms may look at
 * one feature map: output k is leaky(normed * (1 + gamma_k) + beta_k, slope_k). Row r of the table holds gamma_0,
 * beta_0, gamma_1, beta_1, ...; rows[pixel] says which row is a pixel's, or pixel p has row p where rows is NULL. Rows
 * below `shared` belong to many pixels, all others to one each. Where padded[k] is 1, output k has a border of one
 * pixel, its edge repeated.
 *
 * unit_length (unit_length.py): each pixel's features divided by their root mean square.
 *
 * cross_entropy (cross_entropy.py): of each pixel's logits and its class, times the class's weight, summed.
 *
 * This file includes itself once for each type of number.
 */
#ifndef NUMBER

#include <math.h>
#include <stdint.h>
#include <string.h>

#define MOST_CHANNELS 2048
#define MOST_NORMS 2

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define EACH_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define EACH_PROCESSOR
#endif

typedef uint16_t bfloat16;

static inline float read_bfloat16(bfloat16 value) {
    uint32_t bits = (uint32_t)value << 16;
    float number;
    memcpy(&number, &bits, 4);
    return number;
}

static inline bfloat16 write_bfloat16(float number) { /* to the nearest, ties to even */
    uint32_t bits;
    memcpy(&bits, &number, 4);
    return (bfloat16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float read_float32(float value) { return value; }
static inline float write_float32(float number) { return number; }

/* Where a pixel lies in a map with a border of one pixel: the first of `places` is its own, the others, if it is at an
 * edge, those of the border that repeat it. Returns how many there are. */
static inline int padded_places(int64_t pixel, int64_t height, int64_t width, int64_t *places) {
    const int64_t x = pixel % width, y = pixel / width % height, image = pixel / width / height, wide = width + 2;
    const int64_t own = (image * (height + 2) + y + 1) * wide + x + 1;
    const int64_t left = x == 0, right = x == width - 1, above = y == 0, below = y == height - 1;
    int count = 0;
    for (int64_t pass = 0; pass < 2; pass++) /* the pixel's own place first */
        for (int64_t row = -above; row <= below; row++)
            for (int64_t column = -left; column <= right; column++)
                if ((row == 0 && column == 0) == (pass == 0)) places[count++] = own + row * wide + column;
    return count;
}

/* exp(x) for x <= 0 to about 2e-7 of it; the library's own is called a number at a time. */
static inline float exponential(float x) {
    const float scaled = x < -87.0f ? -87.0f * 1.44269504f : x * 1.44269504f;
    const float whole = floorf(scaled + 0.5f), rest = scaled - whole;
    const float power = 1 + rest * (0.69314718f + rest * (0.24022651f + rest * (0.05550411f + rest * (0.00961813f
                        + rest * (0.00133336f + rest * 0.000154f)))));
    const int32_t bits = ((int32_t)whole + 127) << 23;
    float scale;
    memcpy(&scale, &bits, 4);
    return power * scale;
}

#define JOINED(a, b) a##_##b
#define NAMED(a, b) JOINED(a, b)

#define NUMBER float32
#define STORED float
#include "pixels.c"
#undef NUMBER
#undef STORED

#define NUMBER bfloat16
#define STORED bfloat16
#include "pixels.c"

#else

#define READ NAMED(read, NUMBER)
#define WRITE NAMED(write, NUMBER)

/* The pixel's features with their noise, brought to mean 0 and variance 1; returns 1 / standard deviation. */
static inline float NAMED(normed, NUMBER)(const STORED *restrict x, float noise, const float *restrict strength,
                                          int channels, float eps, float *restrict normed) {
    float sum = 0, squares = 0;
    if (strength) {
        for (int c = 0; c < channels; c++) normed[c] = READ(x[c]) + strength[c] * noise;
    } else {
        for (int c = 0; c < channels; c++) normed[c] = READ(x[c]);
    }
    for (int c = 0; c < channels; c++) sum += normed[c];
    const float mean = sum / channels;
    for (int c = 0; c < channels; c++) {
        normed[c] -= mean;
        squares += normed[c] * normed[c];
    }
    const float scale = 1 / sqrtf(squares / channels + eps);
    for (int c = 0; c < channels; c++) normed[c] *= scale;
    return scale;
}

EACH_PROCESSOR
void NAMED(modulate, NUMBER)(const STORED *x, const float *noise, const float *strength, const STORED *table,
                             const int32_t *rows, STORED *const *outputs, const float *slopes, const int32_t *padded,
                             int norms, int channels, int64_t height, int64_t width, float eps, int64_t first,
                             int64_t last) {
    float normed[MOST_CHANNELS];
    int64_t places[9];
    for (int64_t pixel = first; pixel < last; pixel++) {
        NAMED(normed, NUMBER)(x + pixel * channels, noise ? noise[pixel] : 0, strength, channels, eps, normed);
        const STORED *gamma = table + (rows ? rows[pixel] : pixel) * 2 * norms * channels;
        for (int k = 0; k < norms; k++, gamma += 2 * channels) {
            const STORED *beta = gamma + channels;
            const int count = padded[k] ? padded_places(pixel, height, width, places) : 1;
            STORED *out = outputs[k] + (padded[k] ? places[0] : pixel) * channels;
            const float slope = slopes[k];
            for (int c = 0; c < channels; c++) {
                const float value = normed[c] * (1 + READ(gamma[c])) + READ(beta[c]);
                out[c] = WRITE(value > 0 ? value : slope * value);
            }
            for (int place = 1; place < count; place++)
                memcpy(outputs[k] + places[place] * channels, out, channels * sizeof(STORED));
        }
    }
}

/* Adds to grad_shared (shared rows) and grad_strength; writes grad_x and the other rows of grad_table. Doubles, for one
 * number after the other is added to them, of all pixels of a class. */
EACH_PROCESSOR
void NAMED(modulate_backward, NUMBER)(const STORED *x, const float *noise, const float *strength, const STORED *table,
                                      const int32_t *rows, const STORED *const *grads, const float *slopes,
                                      const int32_t *padded, int norms, int channels, int64_t height, int64_t width,
                                      float eps, int64_t shared, STORED *grad_x, STORED *grad_table,
                                      double *grad_shared, double *grad_strength, int64_t first, int64_t last) {
    float normed[MOST_CHANNELS], grad[MOST_CHANNELS];
    STORED joined[MOST_CHANNELS];
    int64_t places[9];
    for (int64_t pixel = first; pixel < last; pixel++) {
        const float scale =
            NAMED(normed, NUMBER)(x + pixel * channels, noise ? noise[pixel] : 0, strength, channels, eps, normed);
        const int64_t row = rows ? rows[pixel] : pixel, start = row * 2 * norms * channels;
        for (int c = 0; c < channels; c++) grad[c] = 0;
        for (int k = 0; k < norms; k++) {
            const STORED *gamma = table + start + 2 * k * channels, *beta = gamma + channels;
            const int count = padded[k] ? padded_places(pixel, height, width, places) : 1;
            const STORED *of_output = grads[k] + (padded[k] ? places[0] : pixel) * channels;
            const float slope = slopes[k];
            if (count > 1) { /* at an edge: all places that repeat this pixel */
                for (int c = 0; c < channels; c++) {
                    float sum = 0;
                    for (int place = 0; place < count; place++) sum += READ(grads[k][places[place] * channels + c]);
                    joined[c] = WRITE(sum);
                }
                of_output = joined;
            }
            if (row < shared) {
                double *of_gamma = grad_shared + start + 2 * k * channels, *of_beta = of_gamma + channels;
                for (int c = 0; c < channels; c++) {
                    const float scaled = 1 + READ(gamma[c]), value = normed[c] * scaled + READ(beta[c]);
                    const float of_value = READ(of_output[c]) * (value > 0 ? 1 : slope);
                    of_gamma[c] += of_value * normed[c];
                    of_beta[c] += of_value;
                    grad[c] += of_value * scaled;
                }
            } else {
                STORED *of_gamma = grad_table + start + 2 * k * channels, *of_beta = of_gamma + channels;
                for (int c = 0; c < channels; c++) {
                    const float scaled = 1 + READ(gamma[c]), value = normed[c] * scaled + READ(beta[c]);
                    const float of_value = READ(of_output[c]) * (value > 0 ? 1 : slope);
                    of_gamma[c] = WRITE(of_value * normed[c]);
                    of_beta[c] = WRITE(of_value);
                    grad[c] += of_value * scaled;
                }
            }
        }
        float sum = 0, along = 0;
        for (int c = 0; c < channels; c++) {
            sum += grad[c];
            along += grad[c] * normed[c];
        }
        sum /= channels;
        along /= channels;
        STORED *of_x = grad_x + pixel * channels;
        for (int c = 0; c < channels; c++) {
            grad[c] = scale * (grad[c] - sum - normed[c] * along);
            of_x[c] = WRITE(grad[c]);
        }
        if (strength) {
            const float amount = noise[pixel];
            for (int c = 0; c < channels; c++) grad_strength[c] += grad[c] * amount;
        }
    }
}

EACH_PROCESSOR
void NAMED(unit_length, NUMBER)(const STORED *x, STORED *output, int channels, float eps, int64_t first, int64_t last) {
    for (int64_t pixel = first; pixel < last; pixel++) {
        const STORED *restrict in = x + pixel * channels;
        STORED *restrict out = output + pixel * channels;
        float squares = 0;
        for (int c = 0; c < channels; c++) squares += READ(in[c]) * READ(in[c]);
        const float scale = 1 / sqrtf(squares / channels + eps);
        for (int c = 0; c < channels; c++) out[c] = WRITE(READ(in[c]) * scale);
    }
}

EACH_PROCESSOR
void NAMED(unit_length_backward, NUMBER)(const STORED *x, const STORED *grad, STORED *grad_x, int channels, float eps,
                                         int64_t first, int64_t last) {
    for (int64_t pixel = first; pixel < last; pixel++) {
        const STORED *restrict in = x + pixel * channels, *restrict of_output = grad + pixel * channels;
        STORED *restrict of_x = grad_x + pixel * channels;
        float squares = 0, along = 0;
        for (int c = 0; c < channels; c++) {
            squares += READ(in[c]) * READ(in[c]);
            along += READ(in[c]) * READ(of_output[c]);
        }
        const float scale = 1 / sqrtf(squares / channels + eps), back = along / channels * scale * scale;
        for (int c = 0; c < channels; c++) of_x[c] = WRITE(scale * (READ(of_output[c]) - READ(in[c]) * back));
    }
}

/* Writes exp(logit - largest) of each class, and their sum and the largest logit. */
static inline void NAMED(exponentials, NUMBER)(const STORED *restrict logits, int classes, float *restrict each,
                                               float *restrict sum, float *restrict largest) {
    float most = READ(logits[0]), total = 0;
    for (int c = 1; c < classes; c++) most = READ(logits[c]) > most ? READ(logits[c]) : most;
    for (int c = 0; c < classes; c++) each[c] = exponential(READ(logits[c]) - most);
    for (int c = 0; c < classes; c++) total += each[c];
    *sum = total;
    *largest = most;
}

EACH_PROCESSOR
void NAMED(cross_entropy, NUMBER)(const STORED *logits, const int64_t *targets, const float *weights, double *total,
                                  int classes, int64_t first, int64_t last) {
    float each[MOST_CHANNELS], sum, largest;
    double found = 0;
    for (int64_t pixel = first; pixel < last; pixel++) {
        const STORED *of_pixel = logits + pixel * classes;
        const int64_t target = targets[pixel];
        NAMED(exponentials, NUMBER)(of_pixel, classes, each, &sum, &largest);
        found += weights[target] * (logf(sum) + largest - READ(of_pixel[target]));
    }
    *total = found;
}

EACH_PROCESSOR
void NAMED(cross_entropy_backward, NUMBER)(const STORED *logits, const int64_t *targets, const float *weights,
                                           float grad, STORED *grad_logits, int classes, int64_t first, int64_t last) {
    float each[MOST_CHANNELS], sum, largest;
    for (int64_t pixel = first; pixel < last; pixel++) {
        const int64_t target = targets[pixel];
        const float weight = grad * weights[target];
        STORED *restrict of_pixel = grad_logits + pixel * classes;
        NAMED(exponentials, NUMBER)(logits + pixel * classes, classes, each, &sum, &largest);
        const float scale = weight / sum;
        each[target] -= sum;
        for (int c = 0; c < classes; c++) of_pixel[c] = WRITE(each[c] * scale);
    }
}

#undef READ
#undef WRITE
#endif
