/* What a training step does beside its matrix products, each in one pass over memory; neighbours, Gram matrices, top-k.
 *
 * Compiled once for each instruction set, with ISA as the ending of the names; `loader.py` takes those of the set that
 * PyTorch uses. Plain loops, which the compiler turns into vector instructions. Every result is that of one item, one
 * row or one number alone, so that it does not depend on how threads divide the work. What each computes stands
 * in `kernels.py`, which checks what it gives them.
 */

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PASTE_(name, isa) aerec_##name##_##isa
#define PASTE(name, isa) PASTE_(name, isa)
#define EXPORTED(name) __attribute__((visibility("default"))) int64_t PASTE(name, ISA) /* 0: all is well */
#define MIN(a, b) ((a) < (b) ? (a) : (b))

/* tells this source from other versions of it */
__attribute__((visibility("default"))) const char PASTE(fingerprint, ISA)[] = FINGERPRINT;

/* ------------------------------------------------------------------ numbers */

typedef uint16_t bf16;

static inline float bits_to_float(uint32_t bits) {
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline uint32_t float_to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static inline float from_bf16(bf16 value) { return bits_to_float((uint32_t)value << 16); }

static inline bf16 to_bf16(float value) { /* to the nearest, ties to even; what processors make as NaN stays NaN */
    uint32_t bits = float_to_bits(value);
    return (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static inline float from_f32(float value) { return value; }
static inline float to_f32(float value) { return value; }

/* exp for x of at most 88, and 2e-35 below -80, so that no product of it is subnormal: x = n log 2 + r, and a
 * polynomial of r (Cephes) */
static inline float exp_of(float x) {
    x = -80.0f > x ? -80.0f : x; /* NaN stays NaN */
    float shifted = x * 1.44269504f + 12582912.0f; /* the last bits of the sum are n */
    float n = shifted - 12582912.0f;
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.0f;
    return bits_to_float(float_to_bits(p) + (float_to_bits(shifted) << 23));
}

/* tanh: an odd polynomial around 0 (Cephes), elsewhere 1 - 2 / (exp(2|x|) + 1) with the sign of x */
static inline float tanh_of(float x) {
    float size = fabsf(x), square = x * x;
    float p = -5.70498872745e-3f;
    p = p * square + 2.06390887954e-2f;
    p = p * square - 5.37397155531e-2f;
    p = p * square + 1.33314422036e-1f;
    p = p * square - 3.33332819422e-1f;
    p = p * square * x + x;
    float far = copysignf(1.0f - 2.0f / (exp_of(size > 20.0f ? 40.0f : 2.0f * size) + 1.0f), x);
    return size < 0.625f ? p : x != x ? x : far;
}

/* ------------------------------------------------------------------ threads: those of PyTorch */

extern void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned) __attribute__((weak));
extern int omp_get_thread_num(void) __attribute__((weak));
extern int omp_get_num_threads(void) __attribute__((weak));

typedef struct {
    void (*work)(void *, int64_t, int64_t); /* on the numbers from the first up to the last */
    void *context;
    int64_t n, pieces;
} job;

static void some_pieces(void *given, int64_t me, int64_t threads) {
    job *j = given;
    for (int64_t k = me; k < j->pieces; k += threads)
        j->work(j->context, j->n * k / j->pieces, j->n * (k + 1) / j->pieces);
}

static void pieces_of_thread(void *given) { some_pieces(given, omp_get_thread_num(), omp_get_num_threads()); }

static void divide(void (*work)(void *, int64_t, int64_t), void *context, int64_t n, int64_t threads) {
    job j = {work, context, n, MIN(n, 16 * threads)};
    if (MIN(n, threads) > 1 && GOMP_parallel && omp_get_thread_num && omp_get_num_threads)
        GOMP_parallel(pieces_of_thread, &j, (unsigned)threads, 0);
    else
        some_pieces(&j, 0, 1);
}

/* ------------------------------------------------------------------ tanh */

typedef struct {
    const float *x;
    float *y;
} tanh_job;

static void tanh_of_all(void *given, int64_t first, int64_t last) {
    const float *restrict x = ((tanh_job *)given)->x;
    float *restrict y = ((tanh_job *)given)->y;
    for (int64_t k = first; k < last; k++) y[k] = tanh_of(x[k]);
}

EXPORTED(tanh)(const float *x, float *y, int64_t n, int64_t threads) {
    tanh_job j = {x, y};
    divide(tanh_of_all, &j, n, threads);
    return 0;
}

/* ------------------------------------------------------------------ softmax */

typedef struct {
    void *logits; /* one item after the other */
    const float *bias;
    const int64_t *starts, *rows; /* of the stored values, item by item */
    const float *values;
    int64_t n_items, n_rows, width;
    const float *shift, *scale;
    float *parts, *out;
} softmax_job;

#define SOFTMAX(TYPE)                                                                                                  \
    static void softmax_parts_of_##TYPE(void *given, int64_t first, int64_t last) {                                    \
        softmax_job *j = given;                                                                                        \
        int64_t n_rows = j->n_rows;                                                                                    \
        for (int64_t piece = first; piece < last; piece++) {                                                           \
            float *restrict largest = j->parts + 2 * piece * n_rows, *restrict sum = largest + n_rows;                 \
            int64_t begin = piece * j->width, end = MIN(begin + j->width, j->n_items);                                 \
            for (int64_t row = 0; row < n_rows; row++) largest[row] = -INFINITY;                                       \
            for (int64_t row = 0; row < n_rows; row++) sum[row] = 0.0f;                                                \
            for (int64_t item = begin; item < end; item++) {                                                           \
                const TYPE *restrict logits = (const TYPE *)j->logits + item * n_rows;                                 \
                float bias = j->bias[item];                                                                            \
                for (int64_t row = 0; row < n_rows; row++) {                                                           \
                    float logit = from_##TYPE(logits[row]) + bias;                                                     \
                    largest[row] = logit > largest[row] ? logit : largest[row];                                        \
                }                                                                                                      \
            }                                                                                                          \
            for (int64_t item = begin; item < end; item++) {                                                           \
                const TYPE *restrict logits = (const TYPE *)j->logits + item * n_rows;                                 \
                float bias = j->bias[item];                                                                            \
                for (int64_t row = 0; row < n_rows; row++)                                                             \
                    sum[row] += exp_of(from_##TYPE(logits[row]) + bias - largest[row]);                                \
                float explained = 0.0f;                                                                                \
                for (int64_t k = j->starts[item]; k < j->starts[item + 1]; k++)                                        \
                    explained += j->values[k] * (from_##TYPE(logits[j->rows[k]]) + bias);                              \
                j->out[item] = explained;                                                                              \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    EXPORTED(softmax_parts_##TYPE)                                                                                     \
    (void *logits, const float *bias, const int64_t *starts, const int64_t *rows, const float *values,                 \
     int64_t n_items, int64_t n_rows, int64_t width, float *parts, float *explained, int64_t threads) {                \
        softmax_job j = {logits, bias, starts, rows, values, n_items, n_rows, width, 0, 0, parts, explained};          \
        divide(softmax_parts_of_##TYPE, &j, (n_items + width - 1) / width, threads);                                   \
        return 0;                                                                                                      \
    }                                                                                                                  \
                                                                                                                       \
    static void softmax_residuals_of_##TYPE(void *given, int64_t first, int64_t last) {                                \
        softmax_job *j = given;                                                                                        \
        int64_t n_rows = j->n_rows;                                                                                    \
        const float *restrict shift = j->shift, *restrict scale = j->scale;                                            \
        for (int64_t item = first; item < last; item++) {                                                              \
            TYPE *restrict logits = (TYPE *)j->logits + item * n_rows;                                                 \
            float bias = j->bias[item], total = 0.0f;                                                                  \
            _Pragma("omp simd reduction(+ : total)") for (int64_t row = 0; row < n_rows; row++) {                      \
                float mean = exp_of(from_##TYPE(logits[row]) + bias - shift[row]) * scale[row];                        \
                total += mean;                                                                                         \
                logits[row] = to_##TYPE(mean);                                                                         \
            }                                                                                                          \
            for (int64_t k = j->starts[item]; k < j->starts[item + 1]; k++) {                                          \
                int64_t row = j->rows[k];                                                                              \
                total -= j->values[k];                                                                                 \
                logits[row] = to_##TYPE(from_##TYPE(logits[row]) - j->values[k]);                                      \
            }                                                                                                          \
            j->out[item] = total;                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    EXPORTED(softmax_residuals_##TYPE)                                                                                 \
    (void *logits, const float *bias, const int64_t *starts, const int64_t *rows, const float *values,                 \
     int64_t n_items, int64_t n_rows, const float *shift, const float *scale, float *totals, int64_t threads) {        \
        softmax_job j = {logits, bias, starts, rows, values, n_items, n_rows, 0, shift, scale, 0, totals};             \
        divide(softmax_residuals_of_##TYPE, &j, n_items, threads);                                                     \
        return 0;                                                                                                      \
    }

typedef float f32;
SOFTMAX(f32)
SOFTMAX(bf16)

/* ------------------------------------------------------------------ Adam */

typedef struct {
    float decay, to_mean, keep_square, to_square, epsilon, rate, unbias;
} adam_options;

static inline void adam_number(float *weight, float *mean, float *square, float gradient, const adam_options o) {
    gradient += o.decay * *weight;
    float m = *mean + o.to_mean * (gradient - *mean);
    float s = o.keep_square * *square + o.to_square * gradient * gradient;
    *mean = m;
    *square = s;
    *weight -= o.rate * m / (sqrtf(s) * o.unbias + o.epsilon);
}

typedef struct { /* the gradient of `sparse_adam` is a product */
    float *weight, *mean, *square;
    void *gradient;
    adam_options options;
    int64_t n_columns;
    const int64_t *starts, *rows;
    const float *values, *dense;
} adam_job;

static void adam_of_f32(void *given, int64_t first, int64_t last) {
    adam_job *j = given;
    adam_options o = j->options;
    float *restrict weight = j->weight, *restrict mean = j->mean, *restrict square = j->square;
    const float *restrict gradient = j->gradient;
    for (int64_t k = first; k < last; k++) adam_number(weight + k, mean + k, square + k, gradient[k], o);
}

static void adam_of_bf16(void *given, int64_t first, int64_t last) {
    adam_job *j = given;
    adam_options o = j->options;
    float *restrict weight = j->weight, *restrict mean = j->mean, *restrict square = j->square;
    bf16 *restrict gradient = j->gradient;
    for (int64_t k = first; k < last; k++) {
        adam_number(weight + k, mean + k, square + k, from_bf16(gradient[k]), o);
        gradient[k] = to_bf16(weight[k]);
    }
}

#define ADAM(TYPE)                                                                                                     \
    EXPORTED(adam_##TYPE)                                                                                              \
    (float *weight, float *mean, float *square, void *gradient, int64_t n, const adam_options *options,                \
     int64_t threads) {                                                                                                \
        adam_job j = {weight, mean, square, gradient, *options, 0, 0, 0, 0, 0};                                        \
        divide(adam_of_##TYPE, &j, n, threads);                                                                        \
        return 0;                                                                                                      \
    }

ADAM(f32)
ADAM(bf16)

/* ------------------------------------------------------------------ sparse times dense */

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define STRIP (8 * LANES)
#define UNROLLED _Pragma("GCC unroll 8")
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4)));

/* The sum of some rows of a matrix, each times its value, at the columns of a strip. */
static inline void sum_rows(float *restrict sum, const float *dense, int64_t n_columns, int64_t width, int64_t n,
                            const int64_t *rows, const float *values) {
    if (width == STRIP) { /* unrolled, so that the sums stay in registers */
        lanes total[8] = {{0}};
        for (int64_t k = 0; k < n; k++) {
            const lanes *row = (const lanes *)(dense + rows[k] * n_columns);
            float value = values[k];
            UNROLLED for (int j = 0; j < 8; j++) total[j] += value * row[j];
        }
        UNROLLED for (int j = 0; j < 8; j++) ((lanes *)sum)[j] = total[j];
        return;
    }
    for (; width >= LANES; width -= LANES, sum += LANES, dense += LANES) {
        lanes a = {0};
        for (int64_t k = 0; k < n; k++) a += values[k] * *(const lanes *)(dense + rows[k] * n_columns);
        *(lanes *)sum = a;
    }
    for (int64_t column = 0; column < width; column++) {
        sum[column] = 0.0f;
        for (int64_t k = 0; k < n; k++) sum[column] += values[k] * dense[rows[k] * n_columns + column];
    }
}

/* Whether rows begin where the ones before them end, and all columns, of 8 bytes or of 4, exist: 0 if so. */
EXPORTED(check_csr)
(const int64_t *starts, const void *columns, int64_t wide, int64_t n_rows, int64_t n_columns, int64_t n_values) {
    const int64_t *eight = columns;
    const int32_t *four = columns;
    int64_t wrong = starts[0] != 0 || starts[n_rows] != n_values;
    for (int64_t row = 0; row < n_rows; row++) wrong |= starts[row] > starts[row + 1];
    if (wide)
        for (int64_t k = 0; k < n_values; k++) wrong |= eight[k] < 0 || eight[k] >= n_columns;
    else
        for (int64_t k = 0; k < n_values; k++) wrong |= four[k] < 0 || four[k] >= n_columns;
    return wrong;
}

typedef struct {
    const int64_t *starts, *columns;
    const float *values, *dense;
    int64_t n_columns;
    float *product;
} product_job;

static void sparse_product_of(void *given, int64_t first, int64_t last) {
    product_job *j = given;
    for (int64_t row = first; row < last; row++) {
        int64_t at = j->starts[row], n = j->starts[row + 1] - at;
        for (int64_t begin = 0; begin < j->n_columns; begin += STRIP)
            sum_rows(j->product + row * j->n_columns + begin, j->dense + begin, j->n_columns,
                     MIN(STRIP, j->n_columns - begin), n, j->columns + at, j->values + at);
    }
}

EXPORTED(sparse_product)
(const int64_t *starts, const int64_t *columns, const float *values, const float *dense, int64_t n_rows,
 int64_t n_columns, float *product, int64_t threads) {
    product_job j = {starts, columns, values, dense, n_columns, product};
    divide(sparse_product_of, &j, n_rows, threads);
    return 0;
}

static void sparse_adam_of(void *given, int64_t first, int64_t last) {
    adam_job *j = given;
    adam_options o = j->options;
    float gradient[STRIP];
    for (int64_t item = first; item < last; item++) {
        int64_t at = j->starts[item], n = j->starts[item + 1] - at;
        for (int64_t begin = 0; begin < j->n_columns; begin += STRIP) {
            int64_t width = MIN(STRIP, j->n_columns - begin), place = item * j->n_columns + begin;
            float *restrict weight = j->weight + place, *restrict mean = j->mean + place;
            float *restrict square = j->square + place;
            sum_rows(gradient, j->dense + begin, j->n_columns, width, n, j->rows + at, j->values + at);
            for (int64_t k = 0; k < width; k++) adam_number(weight + k, mean + k, square + k, gradient[k], o);
        }
    }
}

EXPORTED(sparse_adam)
(float *weight, float *mean, float *square, const int64_t *starts, const int64_t *rows, const float *values,
 const float *dense, int64_t n_items, int64_t n_columns, const adam_options *options, int64_t threads) {
    adam_job j = {weight, mean, square, 0, *options, n_columns, starts, rows, values, dense};
    divide(sparse_adam_of, &j, n_items, threads);
    return 0;
}

/* ------------------------------------------------------------------ products of all columns */

#define AHEAD 4 /* rows: what is read next is fetched into the cache meanwhile */

typedef struct {
    const int64_t *starts;
    const uint16_t *columns; /* half of what is read, in most of the time */
    const float *values;     /* NULL where all are 1 */
    const int64_t *column_starts; /* column by column, */
    const int32_t *positions;     /* where the values are */
    const int32_t *rows;          /* and in which rows */
    int64_t n_columns;
    float *gram;
} gram_job;

static void gram_of(void *given, int64_t first, int64_t last) {
    gram_job *j = given;
    const uint16_t *restrict columns = j->columns;
    const float *restrict values = j->values;
    for (int64_t column = first; column < last; column++) {
        float *restrict sums = j->gram + column * j->n_columns;
        memset(sums + column, 0, (size_t)(j->n_columns - column) * sizeof *sums);
        for (int64_t i = j->column_starts[column]; i < j->column_starts[column + 1]; i++) {
            int64_t at = j->positions[i], end = j->starts[j->rows[i] + 1], ahead = j->positions[i + AHEAD];
            for (int64_t line = 0; line < 128; line += 32) __builtin_prefetch(columns + ahead + line);
            if (values == NULL) {
                for (; at < end; at++) sums[columns[at]] += 1;
                continue;
            }
            for (int64_t line = 0; line < 64; line += 16) __builtin_prefetch(values + ahead + line);
            for (float value = values[at]; at < end; at++) sums[columns[at]] += value * values[at];
        }
    }
}

EXPORTED(gram)
(const int64_t *starts, const uint16_t *columns, const float *values, const int64_t *column_starts,
 const int32_t *positions, const int32_t *rows, int64_t n_columns, float *gram, int64_t threads) {
    gram_job j = {starts, columns, values, column_starts, positions, rows, n_columns, gram};
    divide(gram_of, &j, n_columns, threads);
    return 0;
}

/* ------------------------------------------------------------------ keys, the largest first */

/* Put what is larger before what is smaller, and return where the smaller begin; n is at least 3, no two are equal. */
static int64_t split(uint64_t *keys, int64_t n) {
    uint64_t a = keys[0], b = keys[n / 2], c = keys[n - 1];
    uint64_t pivot = a < b ? (b < c ? b : a < c ? c : a) : (a < c ? a : b < c ? c : b);
    int64_t i = -1, j = n;
    for (;;) {
        do i++; while (keys[i] > pivot);
        do j--; while (keys[j] < pivot);
        if (i >= j) return j + 1;
        uint64_t other = keys[i];
        keys[i] = keys[j], keys[j] = other;
    }
}

static void insert_all(uint64_t *keys, int64_t n) { /* sorts a few, the largest first */
    for (int64_t i = 1; i < n; i++) {
        uint64_t key = keys[i];
        int64_t j = i;
        for (; j > 0 && keys[j - 1] < key; j--) keys[j] = keys[j - 1];
        keys[j] = key;
    }
}

#define FEW 16

static void largest_first(uint64_t *keys, int64_t n, int64_t k) { /* the k largest come first, in any order */
    int64_t low = 0, high = n;
    while (high - low > FEW) {
        int64_t middle = low + split(keys + low, high - low);
        if (middle > k) high = middle;
        else low = middle;
    }
    insert_all(keys + low, high - low);
}

#define SOME 64

static void sort_some(uint64_t *keys, int64_t n) { /* each goes behind as many as are larger: compared in vectors */
    uint64_t sorted[SOME];
    for (int64_t i = 0; i < n; i++) {
        int64_t larger = 0;
        for (int64_t j = 0; j < n; j++) larger += keys[j] > keys[i];
        sorted[larger] = keys[i];
    }
    memcpy(keys, sorted, (size_t)n * sizeof *keys);
}

static void sort_down(uint64_t *keys, int64_t n) {
    while (n > SOME) {
        int64_t middle = split(keys, n), rest = n - middle;
        if (middle < rest) sort_down(keys, middle), keys += middle, n = rest;
        else sort_down(keys + middle, rest), n = middle;
    }
    sort_some(keys, n);
}

/* ------------------------------------------------------------------ the largest numbers of a row */

/* A key is larger where the number is, and of equal numbers where the column is lower; both zeros are equal. */
static inline uint64_t key_of(float value, int64_t column) {
    uint32_t bits = float_to_bits(value + 0.0f);
    return (uint64_t)(bits >> 31 ? ~bits : bits | 0x80000000u) << 32 | (UINT32_MAX - (uint32_t)column);
}

static inline float value_of(uint64_t key) {
    uint32_t bits = (uint32_t)(key >> 32);
    return bits_to_float(bits >> 31 ? bits & 0x7fffffffu : ~bits);
}

/* The k-th largest of the keys, which are put first. */
static uint64_t least_of_largest(uint64_t *keys, int64_t n, int64_t k) {
    largest_first(keys, n, k);
    uint64_t least = keys[0];
    for (int64_t i = 1; i < k; i++) least = MIN(least, keys[i]);
    return least;
}

#define SCANNED 64 /* numbers that are looked at before one of them is */

typedef struct {
    const float *numbers;
    int64_t n_columns, k;
    int64_t *columns;
    float *values;
    int64_t failed;
} largest_job;

static void largest_of(void *given, int64_t first, int64_t last) {
    largest_job *j = given;
    int64_t n_columns = j->n_columns, k = j->k, most = MIN(k, n_columns), width = MIN(2 * k, n_columns);
    uint64_t *keys = malloc((size_t)(width + 1) * sizeof *keys);
    float *maxima = malloc((size_t)(width + 1) * sizeof *maxima);
    if (!keys || !maxima) j->failed = 1;
    for (int64_t row = first; keys && maxima && row < last; row++) {
        const float *numbers = j->numbers + row * n_columns;
        int64_t *columns = j->columns + row * k, n = 0;
        float *values = j->values + row * k, bound = -FLT_MAX; /* what is not below it is looked at */
        if (k <= n_columns / 4) { /* each piece of the row has a largest number: k of them reach the bound */
            memcpy(maxima, numbers, (size_t)width * sizeof *maxima);
            for (int64_t begin = width; begin + width <= n_columns; begin += width)
                for (int64_t i = 0; i < width; i++)
                    maxima[i] = numbers[begin + i] > maxima[i] ? numbers[begin + i] : maxima[i];
            for (int64_t i = 0; i < width; i++) keys[i] = key_of(maxima[i], i);
            float reached = value_of(least_of_largest(keys, width, k));
            bound = reached > bound ? reached : bound;
        }
        for (int64_t begin = 0; begin < n_columns; begin += SCANNED) {
            uint8_t hits[SCANNED] = {0};
            int64_t end = MIN(SCANNED, n_columns - begin);
            for (int64_t i = 0; i < end; i++) hits[i] = numbers[begin + i] >= bound;
            for (int64_t i = 0; i < end; i += 8) {
                uint64_t eight;
                memcpy(&eight, hits + i, 8);
                for (int64_t at = i; eight && at < i + 8; at++) {
                    if (!hits[at]) continue;
                    if (n == width) bound = value_of(least_of_largest(keys, n, k)), n = k;
                    keys[n++] = key_of(numbers[begin + at], begin + at);
                }
            }
        }
        if (n > most) largest_first(keys, n, most), n = most;
        sort_down(keys, n);
        for (int64_t i = 0; i < k; i++) {
            columns[i] = i < n ? (int64_t)(UINT32_MAX - (uint32_t)keys[i]) : -1;
            values[i] = i < n ? value_of(keys[i]) : -INFINITY;
        }
    }
    free(keys), free(maxima);
}

EXPORTED(largest)
(const float *numbers, int64_t *columns, float *values, int64_t n_rows, int64_t n_columns, int64_t k,
 int64_t threads) {
    largest_job j = {numbers, n_columns, k, columns, values, 0};
    divide(largest_of, &j, n_rows, threads);
    return j.failed;
}

/* ------------------------------------------------------------------ the largest products of sparse rows */

typedef struct {
    float sum;
    int32_t row; /* whose sum it is */
} cell;

/* Products are not fused with sums: results are those of SciPy and NumPy to the bit. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
__attribute__((optimize("fp-contract=off")))
#endif
EXPORTED(largest_products)
(const int64_t *left_starts, const int32_t *left_columns, const float *left_values, const int64_t *right_starts,
 const int32_t *right_columns, const float *right_values, int64_t first, int64_t last, int64_t n_columns, int64_t k,
 const int64_t *exclude, int64_t kind, const float *of_rows, const float *of_columns, const float *shrinkage,
 int64_t *counts, int32_t *columns, float *values) {
    cell *cells = malloc((size_t)n_columns * sizeof *cells);
    uint32_t *touched = malloc((size_t)n_columns * sizeof *touched);
    uint64_t *keys = malloc((size_t)n_columns * sizeof *keys);
    int64_t failed = !cells || !touched || !keys, place = 0;
    for (int64_t column = 0; !failed && column < n_columns; column++) cells[column].row = -1;
    for (int64_t row = first; !failed && row < last; row++) {
        int64_t n = 0, n_keys = 0;
        for (int64_t at = left_starts[row]; at < left_starts[row + 1]; at++) {
            int64_t through = left_columns[at];
            for (int64_t to = right_starts[through]; to < right_starts[through + 1]; to++) {
                cell *sum = cells + right_columns[to];
                if (sum->row != (int32_t)(row - first)) {
                    *sum = (cell){0.0f, (int32_t)(row - first)};
                    touched[n++] = (uint32_t)right_columns[to];
                }
                sum->sum += left_values[at] * right_values[to];
            }
        }
        for (int64_t i = 0; i < n; i++) {
            uint32_t column = touched[i];
            float value = cells[column].sum;
            if (kind) {
                float scale = kind == 1 ? of_rows[row] * of_columns[column] : of_rows[row] + of_columns[column] - value;
                scale += *shrinkage;
                value /= scale > 1e-30f ? scale : 1e-30f;
            }
            /* positive numbers are ordered as their bits are; of equal ones the lower column comes first */
            if (value > 0.0f && column != exclude[row])
                keys[n_keys++] = (uint64_t)float_to_bits(value) << 32 | (UINT32_MAX - column);
        }
        if (n_keys > k) largest_first(keys, n_keys, k), n_keys = k;
        for (int64_t i = 0; i < n_keys; i++) keys[i] = keys[i] << 32 | keys[i] >> 32;
        sort_down(keys, n_keys);
        for (int64_t i = 0; i < n_keys; i++, place++) {
            columns[place] = (int32_t)(UINT32_MAX - (uint32_t)(keys[i] >> 32));
            values[place] = bits_to_float((uint32_t)keys[i]);
        }
        counts[row - first] = n_keys;
    }
    free(cells), free(touched), free(keys);
    return failed;
}

typedef struct {
    int32_t next, place;
    float value;
} link;

/* Of each list of rows the products of each two of them: those of two frequent rows are known, for the others there is
 * a chain for each column of the rarer rows that hold it. Not fused. */
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#else
__attribute__((optimize("fp-contract=off")))
#endif
EXPORTED(products_within)
(const int64_t *starts, const int32_t *columns, const float *values, int64_t n_columns, const int64_t *list_starts,
 const int32_t *rows, const int32_t *frequent, const float *known, int64_t n_known, int64_t n_lists, int64_t width,
 float *products) {
    int64_t longest = 0;
    for (int64_t list = 0; list < n_lists; list++) {
        int64_t n = 0;
        for (int64_t i = list_starts[list]; i < list_starts[list + 1]; i++)
            if (frequent[rows[i]] < 0) n += starts[rows[i] + 1] - starts[rows[i]];
        longest = n > longest ? n : longest;
    }
    int32_t *last = malloc((size_t)(n_columns + 1) * sizeof *last);
    link *links = malloc((size_t)(longest + 1) * sizeof *links);
    int64_t failed = !last || !links || longest > INT32_MAX;
    for (int64_t column = 0; !failed && column < n_columns; column++) last[column] = -1;
    for (int64_t list = 0; !failed && list < n_lists; list++, products += width * width) {
        const int32_t *own = rows + list_starts[list];
        int64_t n_rows = list_starts[list + 1] - list_starts[list];
        int32_t n = 0;
        for (int64_t i = 0; i < n_rows; i++)
            for (int64_t at = starts[own[i]]; frequent[own[i]] < 0 && at < starts[own[i] + 1]; at++) {
                int32_t *chain = last + columns[at];
                links[n] = (link){*chain, (int32_t)i, values[at]};
                *chain = n++;
                for (int32_t j = *chain; j >= 0; j = links[j].next)
                    products[i * width + links[j].place] += links[j].value * values[at];
            }
        for (int64_t i = 0; i < n_rows; i++) {
            if (frequent[own[i]] < 0) continue;
            const float *product = known + frequent[own[i]] * n_known;
            for (int64_t j = 0; j <= i; j++)
                if (frequent[own[j]] >= 0) products[i * width + j] = product[frequent[own[j]]];
            for (int64_t at = starts[own[i]]; n && at < starts[own[i] + 1]; at++)
                for (int32_t j = last[columns[at]]; j >= 0; j = links[j].next)
                    products[i * width + links[j].place] += links[j].value * values[at];
        }
        for (int64_t i = 0; i < n_rows; i++)
            for (int64_t at = starts[own[i]]; frequent[own[i]] < 0 && at < starts[own[i] + 1]; at++)
                last[columns[at]] = -1;
        for (int64_t i = 0; i < n_rows; i++)
            for (int64_t j = 0; j < i; j++) { /* one of the two is there */
                float *one = products + i * width + j, *other = products + j * width + i;
                *one = *other = *one + *other;
            }
    }
    free(last), free(links);
    return failed;
}
