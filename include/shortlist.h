/*
 * shortlist.h: softmax cross-entropy over output layers too large to materialise.
 *
 * libshortlist computes exact and sampled softmax cross-entropy (CE, SCE, RECE, given candidates) between N hidden
 * states of width d and a catalog of C item vectors, with gradients, without ever storing N x C logits; and top-k
 * retrieval and the rank of each target in the same streaming manner. This header is the manual: conventions first,
 * then the simple calls, then contexts and catalogs, then the advanced part.
 *
 *     #include <shortlist.h>
 *
 *     shortlist_context *context = NULL;
 *     if (shortlist_context_create(&context, NULL) != SHORTLIST_OK) { puts(shortlist_last_error_message()); return 1; }
 *
 *     shortlist_batch batch = SHORTLIST_BATCH_INIT;
 *     batch.hidden  = shortlist_matrix_f32(hidden, n, d);
 *     batch.items   = shortlist_matrix_f32(items, item_count, d);
 *     batch.targets = shortlist_indices_i32(targets, n);
 *
 *     shortlist_outputs outputs = SHORTLIST_OUTPUTS_INIT;
 *     outputs.hidden_gradient = shortlist_mutable_matrix_f32(hidden_gradient, n, d);
 *
 *     shortlist_sce_options sce = SHORTLIST_SCE_OPTIONS_INIT;
 *     sce.seed = 7; sce.step = 0;
 *     double loss;
 *     shortlist_status status = shortlist_sce(&loss, context, &sce, &batch, &outputs, NULL);
 *
 *     shortlist_context_release(context);
 *
 * Conventions that hold for every function unless it says otherwise
 * -----------------------------------------------------------------
 * Status       Every function that can fail returns a shortlist_status: SHORTLIST_OK (0) or a negative, stable
 *              number. The sentence that belongs to the last failure of this thread is
 *              shortlist_last_error_message(); it is for people and may change between versions, so never parse it.
 * Failure      Bad input is a status, never a crash. On SHORTLIST_CANCELLED, SHORTLIST_DEVICE_LOST,
 *              SHORTLIST_NUMERICAL_FAILURE and SHORTLIST_INTERNAL_ERROR outputs may hold part of a result; on every
 *              other failure no output has been touched, and the context can be used as before.
 * Outputs      Out parameters come first. A pointer marked "may be NULL" is an output that is not wanted: what is not
 *              asked for is not computed.
 * Memory       All arrays are the caller's, in host memory, and are used during the call only, except where a catalog
 *              or a saved state says that it keeps looking at them. Outputs may not overlap inputs or each other
 *              (SHORTLIST_OVERLAPPING_MEMORY). Pointers must have the alignment of their element type. A NULL array
 *              is allowed where its length is 0.
 * Handles      shortlist_context, shortlist_catalog and shortlist_state are opaque names, not addresses: a stale,
 *              foreign, twice released or NULL handle is SHORTLIST_INVALID_HANDLE. What was made from a context keeps
 *              what it needs of it alive: handles may be released in any order.
 * Threads      A context, and everything made from it, may be used by one thread at a time; a second thread gets
 *              SHORTLIST_BUSY at once and may try again. Different contexts work in parallel. Functions without a
 *              handle may be called from any thread at any time. A context starts its own worker threads.
 * Fork         In a child process, handles made before fork() are SHORTLIST_FORKED. The child can make contexts of its
 *              own, unless fork() happened while another thread was inside a call: then every call in the child that
 *              would need a handle, or make one, is SHORTLIST_FORKED. It never hangs. Where the parent had listed or
 *              opened Vulkan devices, the backend is unavailable in the child: drivers do not outlive fork().
 * Determinism  The same inputs, options (workspace limit included), backend, kind of processor and build give the same
 *              bits, whatever the number of threads.
 * Structs      Every struct with a `struct_size` must be initialised with its _INIT macro, which sets struct_size and
 *              the defaults. Later versions only add fields at the end. A struct_size that is smaller than in version
 *              0.1.0 is SHORTLIST_INVALID_ARGUMENT, and so is a larger one whose bytes unknown to the library are not
 *              zero. Fields and flags called `reserved` must be 0.
 * Numbers      Matrices are row-major float32. Sizes and counts are int64_t: a negative one is
 *              SHORTLIST_INVALID_ARGUMENT, a product that does not fit 63 bits is SHORTLIST_OVERFLOW. Item numbers are
 *              below 2^31. Losses and sums over tokens are accumulated in double.
 *
 * In what follows N is the number of tokens (rows of `hidden`), C the number of items (rows of the catalog), d the
 * width of both, and n the number of valid tokens (those whose target is not ignored).
 *
 * C99 and C++11 or later. SPDX-License-Identifier: Apache-2.0
 */
#ifndef SHORTLIST_H
#define SHORTLIST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ================================================================================================================== *
 * Version
 * ================================================================================================================== */

#define SHORTLIST_VERSION_MAJOR 0
#define SHORTLIST_VERSION_MINOR 1
#define SHORTLIST_VERSION_PATCH 0

/* The version of this header as one number: major * 10000 + minor * 100 + patch. */
#define SHORTLIST_VERSION (SHORTLIST_VERSION_MAJOR * 10000 + SHORTLIST_VERSION_MINOR * 100 + SHORTLIST_VERSION_PATCH)

/* The version of the loaded library, as SHORTLIST_VERSION counts. Libraries with the same SONAME (libshortlist.so.0)
 * accept programs built against any header that is not newer than they are.
 * Thread: any, at any time. Never fails. Since 0.1.0. */
int32_t shortlist_version(void);

/* The same as text, "0.1.0". The string is constant and lives as long as the process.
 * Thread: any, at any time. Never fails. Since 0.1.0. */
const char *shortlist_version_string(void);

/* ================================================================================================================== *
 * Status
 * ================================================================================================================== */

typedef int32_t shortlist_status;

enum {
    SHORTLIST_OK = 0,
    SHORTLIST_INVALID_ARGUMENT = -1,     /* a shape, size, option, pointer or struct_size that no call accepts */
    SHORTLIST_TARGET_OUT_OF_RANGE = -2,  /* a target outside 0 .. C-1 that is not the ignore index; the message names
                                            the first bad position and its value */
    SHORTLIST_EXCLUDED_TARGET = -3,      /* an excluded item (or one whose bias is minus infinity) as a target */
    SHORTLIST_INVALID_WEIGHT = -4,       /* a weight, scale, denominator or log-weight that is negative, NaN or infinite
                                            where it may not be, or a scale of 0 */
    SHORTLIST_OVERLAPPING_MEMORY = -5,   /* an output overlaps an input or another output */
    SHORTLIST_WORKSPACE_LIMIT = -6,      /* the limit is below the least this call needs;
                                            shortlist_last_error_need() is that least, in bytes */
    SHORTLIST_OUT_OF_MEMORY = -7,        /* the system refused memory */
    SHORTLIST_ROOM_TOO_SMALL = -8,       /* too few rows of room; shortlist_last_error_need() is the number needed */
    SHORTLIST_UNSUPPORTED = -9,          /* known, and not done by this version or backend; the message names it */
    SHORTLIST_BACKEND_UNAVAILABLE = -10, /* the backend or device cannot run here; the message says why */
    SHORTLIST_UNKNOWN_BACKEND = -11,     /* no backend of that name */
    SHORTLIST_BUSY = -12,                /* another thread (or an enclosing call) is using the handle or its context */
    SHORTLIST_INVALID_HANDLE = -13,      /* stale, foreign, released or NULL */
    SHORTLIST_FORKED = -14,              /* made before fork() and used in the child */
    SHORTLIST_CANCELLED = -15,           /* the stop callback ended the call */
    SHORTLIST_NUMERICAL_FAILURE = -16,   /* a step that cannot be completed in floating point */
    SHORTLIST_INDEX_OUT_OF_RANGE = -17,  /* a candidate, excluded, seen or updated index outside its range */
    SHORTLIST_DEVICE_LOST = -18,         /* the device is gone; release the context and make another */
    SHORTLIST_OVERFLOW = -19,            /* sizes whose product does not fit 63 bits */
    /* -20 .. -98 are for later versions: treat an unknown negative number as a failure */
    SHORTLIST_INTERNAL_ERROR = -99       /* a bug in the library; please report the message */
};

/* The name of a status, "SHORTLIST_BUSY"; "SHORTLIST_UNKNOWN_STATUS" for a number that this version does not know.
 * The string is constant. Thread: any, at any time. Never fails. Since 0.1.0. */
const char *shortlist_status_name(shortlist_status status);

/* What went wrong in the last call of this thread that failed, as a sentence in English, UTF-8, without a newline; ""
 * when none has failed yet. A call that succeeds leaves it as it is. The string belongs to the library and is valid
 * until the next failing call of the same thread. Never NULL.
 * Thread: any, at any time. Since 0.1.0. */
const char *shortlist_last_error_message(void);

/* What the last failing call of this thread would have needed: bytes after SHORTLIST_WORKSPACE_LIMIT (with that limit
 * the call works, with one byte less it does not), rows after SHORTLIST_ROOM_TOO_SMALL, 0 after every other failure.
 * Thread: any, at any time. Since 0.1.0. */
int64_t shortlist_last_error_need(void);

/* ================================================================================================================== *
 * Describing arrays
 * ================================================================================================================== */

/* Element types. Those marked "later" are known by name and refused with SHORTLIST_UNSUPPORTED. */
enum {
    SHORTLIST_FLOAT32 = 1,
    SHORTLIST_FLOAT16 = 2,  /* later */
    SHORTLIST_BFLOAT16 = 3, /* later */
    /* 4 .. 15 are for later versions */
    SHORTLIST_INT32 = 16,
    SHORTLIST_INT64 = 17
    /* 18 .. 31 are for later versions */
};

/* A row-major matrix to read. Element (r, c) is data[r * row_stride + c]; row_stride counts elements and is at least
 * `columns`, or 0, which stands for `columns`. All zero: no matrix. */
typedef struct shortlist_matrix {
    const void *data;
    int64_t rows;
    int64_t columns;
    int64_t row_stride;
    int32_t dtype;    /* SHORTLIST_FLOAT32 */
    int32_t reserved; /* 0 */
} shortlist_matrix;

/* A row-major matrix to write. All zero: this output is not wanted. */
typedef struct shortlist_mutable_matrix {
    void *data;
    int64_t rows;
    int64_t columns;
    int64_t row_stride;
    int32_t dtype;    /* SHORTLIST_FLOAT32 */
    int32_t reserved; /* 0 */
} shortlist_mutable_matrix;

/* `count` item numbers, one after the other. All zero: none. */
typedef struct shortlist_indices {
    const void *data;
    int64_t count;
    int32_t dtype;    /* SHORTLIST_INT32; for targets also SHORTLIST_INT64 */
    int32_t reserved; /* 0 */
} shortlist_indices;

/* `list_count` lists of item numbers: list i is items[offsets[i] .. offsets[i + 1] - 1]. There are list_count + 1
 * offsets, they begin at 0 and never fall. All zero: no lists. */
typedef struct shortlist_lists {
    const int64_t *offsets;
    const int32_t *items;
    int64_t list_count;
} shortlist_lists;

#define SHORTLIST_MATRIX_NONE { NULL, 0, 0, 0, 0, 0 }
#define SHORTLIST_INDICES_NONE { NULL, 0, 0, 0 }
#define SHORTLIST_LISTS_NONE { NULL, NULL, 0 }

/* Dense arrays as the structs above. (Inline conveniences: they are not exported by the library.) */
static inline shortlist_matrix shortlist_matrix_f32(const float *data, int64_t rows, int64_t columns) {
    shortlist_matrix matrix = SHORTLIST_MATRIX_NONE;
    matrix.data = data;
    matrix.rows = rows;
    matrix.columns = columns;
    matrix.dtype = SHORTLIST_FLOAT32;
    return matrix;
}

static inline shortlist_mutable_matrix shortlist_mutable_matrix_f32(float *data, int64_t rows, int64_t columns) {
    shortlist_mutable_matrix matrix = SHORTLIST_MATRIX_NONE;
    matrix.data = data;
    matrix.rows = rows;
    matrix.columns = columns;
    matrix.dtype = SHORTLIST_FLOAT32;
    return matrix;
}

static inline shortlist_indices shortlist_indices_i32(const int32_t *data, int64_t count) {
    shortlist_indices indices = SHORTLIST_INDICES_NONE;
    indices.data = data;
    indices.count = count;
    indices.dtype = SHORTLIST_INT32;
    return indices;
}

static inline shortlist_indices shortlist_indices_i64(const int64_t *data, int64_t count) {
    shortlist_indices indices = SHORTLIST_INDICES_NONE;
    indices.data = data;
    indices.count = count;
    indices.dtype = SHORTLIST_INT64;
    return indices;
}

/* ================================================================================================================== *
 * A batch: what a loss is computed from
 * ================================================================================================================== */

typedef struct shortlist_context shortlist_context; /* a backend, its threads and its workspace */
typedef struct shortlist_catalog shortlist_catalog; /* item vectors known to a context */
typedef struct shortlist_state shortlist_state;     /* what a forward pass left for its backward passes */

enum {
    SHORTLIST_REDUCTION_MEAN = 0, /* sum of weight * loss / sum of weight, over the tokens that count */
    SHORTLIST_REDUCTION_SUM = 1,  /* sum of weight * loss */
    SHORTLIST_REDUCTION_NONE = 2  /* a vector; gradients take an upstream number for each token */
    /* 3 .. 15 are for later versions */
};

/* Tokens, targets and the catalog. With z_ij = scale * <hidden_i, item_j> + bias_j, the loss of token i is
 *
 *     loss_i = log( exp(z_i,target) + sum over j in J_i of exp(z_ij) ) - z_i,target,
 *
 * where J_i, the shortlist of the token, is what a loss chooses: all other items for exact cross-entropy, a few hundred
 * for the sampled losses. The target itself is never in J_i, and each item counts once. */
typedef struct shortlist_batch {
    uint32_t struct_size;
    int32_t reduction;                /* SHORTLIST_REDUCTION_...; MEAN */
    shortlist_matrix hidden;          /* N x d */
    shortlist_indices targets;        /* N */
    shortlist_catalog *catalog;       /* a catalog of the same context, or NULL and instead: */
    shortlist_matrix items;           /* C x d, used during this call only (a state keeps looking at it) */
    const float *item_bias;           /* C numbers added to the logits, or NULL; minus infinity leaves an item out.
                                         Only with `items`: a catalog has its own */
    const float *weights;             /* N numbers >= 0, or NULL: each 1 */
    shortlist_indices excluded_items; /* never candidates, for example a padding row; as a target an error */
    int64_t ignore_index;             /* tokens with this target take part in nothing, */
    int32_t use_ignore_index;         /* if this is 1; 0: no token is ignored */
    int32_t reserved;                 /* 0 */
    double scale;                     /* 1 / temperature, > 0, rounded to float32; 1 */
    double denominator;               /* MEAN divides by this instead of the sum of weights (for gradient accumulation);
                                         0: no such number */
} shortlist_batch;

#define SHORTLIST_BATCH_INIT                                                                                           \
    {                                                                                                                  \
        sizeof(shortlist_batch), SHORTLIST_REDUCTION_MEAN, SHORTLIST_MATRIX_NONE, SHORTLIST_INDICES_NONE, NULL,        \
            SHORTLIST_MATRIX_NONE, NULL, NULL, SHORTLIST_INDICES_NONE, -100, 0, 0, 1.0, 0.0                            \
    }

/* ================================================================================================================== *
 * Outputs: what to write, and where
 * ================================================================================================================== */

enum {
    SHORTLIST_CATALOG_GRADIENT_NONE = 0,  /* not wanted */
    SHORTLIST_CATALOG_GRADIENT_STORE = 1, /* all C rows are written */
    SHORTLIST_CATALOG_GRADIENT_ADD = 2,   /* all C rows are added to what is there */
    SHORTLIST_CATALOG_GRADIENT_ROWS = 3   /* row-sparse: only the rows of items that the loss touched */
    /* 4 .. 15 are for later versions */
};

/* Each part may be left out (all zero or NULL). Gradients are those of upstream * loss.
 *
 * Row-sparse: the rows of the touched items are written to the first rows of `catalog_gradient`, in ascending order of
 * item, their numbers to `row_ids`, their bias gradients (if `bias_gradient` is not NULL) to its first entries, and how
 * many there are to `row_count`. Room for min(C, bucket_count * items_per_bucket + n) rows always suffices for SCE,
 * min(C, number of candidates + n) for given candidates, C for the others; too little is SHORTLIST_ROOM_TOO_SMALL and
 * names the need. What lies beyond row_count is left as it was. */
typedef struct shortlist_outputs {
    uint32_t struct_size;
    int32_t catalog_mode;                      /* SHORTLIST_CATALOG_GRADIENT_...; NONE */
    float *token_losses;                       /* N: loss_i (with NONE: weight_i * loss_i), 0 where it does not count */
    float *log_sum_exp;                        /* N: log( exp(z_i,target) + sum ), 0 where it does not count */
    double upstream;                           /* MEAN, SUM: multiplies the gradients; rounded to float32; 1 */
    const float *token_upstream;               /* with NONE, for gradients: N numbers instead of `upstream` */
    shortlist_mutable_matrix hidden_gradient;  /* N x d, all written; rows of tokens that do not count are 0 */
    shortlist_mutable_matrix catalog_gradient; /* C x d (STORE, ADD), or room x d (ROWS); none where only
                                                  the bias gradient is wanted */
    float *bias_gradient;                      /* C (STORE and NONE: written, ADD: added to), or room (ROWS) */
    int32_t *row_ids;                          /* ROWS: room */
    int64_t row_capacity;                      /* ROWS: the room */
    int64_t *row_count;                        /* ROWS: the number of rows used comes back here */
    double *scale_gradient;                    /* 1: the derivative with respect to batch.scale */
} shortlist_outputs;

#define SHORTLIST_OUTPUTS_INIT                                                                                         \
    {                                                                                                                  \
        sizeof(shortlist_outputs), SHORTLIST_CATALOG_GRADIENT_NONE, NULL, NULL, 1.0, NULL, SHORTLIST_MATRIX_NONE,      \
            SHORTLIST_MATRIX_NONE, NULL, NULL, 0, NULL, NULL                                                           \
    }

/* ================================================================================================================== *
 * The report: what a call did
 * ================================================================================================================== */

/* Filled by a call that succeeds, untouched by one that fails. Fields that do not apply are 0. */
typedef struct shortlist_report {
    uint32_t struct_size;
    int32_t threads;                /* worker threads used */
    int64_t tokens_valid;           /* n: targets that are not ignored */
    int64_t tokens_counted;         /* those in the loss: valid ones; for SCE and given candidates those in a block */
    int64_t tokens_non_finite;      /* counted tokens whose loss is infinite or NaN */
    int64_t distinct_items_touched; /* items with a part in the loss, targets included */
    int64_t candidate_logits;       /* logits computed for candidates */
    int64_t bucket_count;           /* SCE, RECE: the sizes used, after defaults and capping */
    int64_t tokens_per_bucket;      /* SCE */
    int64_t items_per_bucket;       /* SCE */
    int64_t chunk_count;            /* RECE */
    int64_t neighbour_chunks;       /* RECE */
    int64_t rounds;                 /* RECE */
    int64_t top_k;                  /* top-k: places that can be filled */
    int64_t workspace_planned;      /* bytes beside inputs and outputs that were planned */
    int64_t workspace_used;         /* and those in use at most */
    int64_t workspace_least;        /* the smallest limit with which this call works */
    int64_t bytes_uploaded;         /* to a device */
    int64_t bytes_downloaded;       /* from a device */
    double seconds_select;          /* by stage: wall time, or the device's own */
    double seconds_score;
    double seconds_combine;
    double seconds_gradient;
    double seconds_total;
    uint64_t native_kernels;        /* bit k: the backend ran kernel k natively; shortlist_kernel_name(k) names it */
    uint64_t composed_kernels;      /* bit k: composed from simpler kernels */
    uint64_t notes;                 /* bit b: something worth knowing; shortlist_note_text(b) says what */
} shortlist_report;

#define SHORTLIST_REPORT_INIT                                                                                          \
    { sizeof(shortlist_report), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0 }

/* The name of kernel `bit` of native_kernels and composed_kernels, or NULL when there is none. Constant strings.
 * Thread: any, at any time. Since 0.1.0. */
const char *shortlist_kernel_name(int32_t bit);

/* The sentence for bit `bit` of notes, or NULL when there is none. Constant strings.
 * Thread: any, at any time. Since 0.1.0. */
const char *shortlist_note_text(int32_t bit);

/* ================================================================================================================== *
 * Losses: forward and backward in one call
 *
 * loss       out, may be NULL: the mean or the sum; with SHORTLIST_REDUCTION_NONE the sum of the vector
 * context    where it runs
 * options    of the loss; NULL: its defaults (given candidates: required)
 * batch      required
 * outputs    per-token results and gradients; NULL: only the loss
 * report     out, may be NULL
 *
 * No valid token, or a sum of weights of 0: the loss is 0, the gradients are 0 (or have no rows), success.
 * NaN or infinity in hidden or items: never a failure; tokens whose logits are not finite have a loss that is not
 * finite, and the report counts them.
 *
 * Memory: nothing of size N x C is needed. The workspace is planned before anything runs, obeys the context's
 * limit by working in smaller tiles, and is kept by the context for the next call: a call like the one before
 * allocates nothing large. Cross-entropy with gradients keeps the logits of a group of tokens, in up to 256 MiB on the
 * CPU where no limit is set: a third faster than making them twice, which it does under a small limit.
 * Thread: one at a time for a context and all that is made from it, else SHORTLIST_BUSY.
 * Errors: SHORTLIST_INVALID_ARGUMENT, _TARGET_OUT_OF_RANGE, _EXCLUDED_TARGET, _INVALID_WEIGHT, _OVERLAPPING_MEMORY,
 * _WORKSPACE_LIMIT, _OUT_OF_MEMORY, _ROOM_TOO_SMALL, _UNSUPPORTED, _BUSY, _INVALID_HANDLE, _FORKED, _CANCELLED,
 * _NUMERICAL_FAILURE (SCE with MIX directions), _INDEX_OUT_OF_RANGE, _DEVICE_LOST, _OVERFLOW.
 * Since 0.1.0, all four.
 * ================================================================================================================== */

typedef struct shortlist_cross_entropy_options {
    uint32_t struct_size;
    int32_t reserved; /* 0 */
} shortlist_cross_entropy_options;

#define SHORTLIST_CROSS_ENTROPY_OPTIONS_INIT { sizeof(shortlist_cross_entropy_options), 0 }

/* Exact softmax cross-entropy over all items. About 8 N C d flops with both gradients. */
shortlist_status shortlist_cross_entropy(double *loss, shortlist_context *context,
                                         const shortlist_cross_entropy_options *options, const shortlist_batch *batch,
                                         const shortlist_outputs *outputs, shortlist_report *report);

enum {
    SHORTLIST_DIRECTIONS_MIX = 0,      /* Gaussian mixes of the batch's hidden states (the paper's Mix) */
    SHORTLIST_DIRECTIONS_GAUSSIAN = 1, /* standard normal */
    SHORTLIST_DIRECTIONS_GIVEN = 2     /* the caller's, in `given_directions` */
    /* 3 .. 15 are for later versions */
};

/* How the blocks that hold a token are brought together. */
enum {
    SHORTLIST_COMBINATION_MAX = 0,  /* the largest of the token's block losses; lowest block on a tie (the paper) */
    SHORTLIST_COMBINATION_UNION = 1 /* one loss over the union of the blocks' items */
    /* 2 .. 15 are for later versions */
};

/* SCE (arXiv 2409.18721). Sizes of 0 stand for the defaults: bucket_count = tokens_per_bucket = floor(2 sqrt(n)),
 * items_per_bucket = 256. Sizes too large are capped, and the report has those used. */
typedef struct shortlist_sce_options {
    uint32_t struct_size;
    int32_t directions;                 /* SHORTLIST_DIRECTIONS_...; MIX */
    int32_t combination;                /* SHORTLIST_COMBINATION_...; MAX */
    int32_t reserved;                   /* 0 */
    int64_t bucket_count;               /* blocks */
    int64_t tokens_per_bucket;          /* tokens of largest inner product with the block's direction */
    int64_t items_per_bucket;           /* items of largest inner product with it */
    uint64_t seed;                      /* of the directions: the same seed and step draw the same directions, */
    uint64_t step;                      /* the next step others. Below 2^56 */
    shortlist_matrix given_directions;  /* GIVEN: bucket_count x d */
} shortlist_sce_options;

#define SHORTLIST_SCE_OPTIONS_INIT                                                                                     \
    {                                                                                                                  \
        sizeof(shortlist_sce_options), SHORTLIST_DIRECTIONS_MIX, SHORTLIST_COMBINATION_MAX, 0, 0, 0, 0, 0, 0,          \
            SHORTLIST_MATRIX_NONE                                                                                      \
    }

/* Scalable cross-entropy: blocks of the tokens and the items closest to random directions. Tokens in no block do not
 * count. */
shortlist_status shortlist_sce(double *loss, shortlist_context *context, const shortlist_sce_options *options,
                               const shortlist_batch *batch, const shortlist_outputs *outputs,
                               shortlist_report *report);

/* RECE (arXiv 2408.02354). bucket_count 0 stands for the default
 * max(1, floor(sqrt(4 (1 + 2 neighbour_chunks) min(n, C)))), chunk_count 0 for bucket_count. */
typedef struct shortlist_rece_options {
    uint32_t struct_size;
    int32_t directions;                 /* GAUSSIAN, or GIVEN */
    int64_t bucket_count;               /* hash values */
    int64_t chunk_count;                /* equal chunks of the sorted tokens and items; capped at n and at C */
    int64_t neighbour_chunks;           /* on each side; 1 */
    int64_t rounds;                     /* 1 */
    uint64_t seed;
    uint64_t step;                      /* below 2^56 */
    shortlist_matrix given_directions;  /* GIVEN: (rounds * bucket_count) x d, round after round */
} shortlist_rece_options;

#define SHORTLIST_RECE_OPTIONS_INIT                                                                                    \
    {                                                                                                                  \
        sizeof(shortlist_rece_options), SHORTLIST_DIRECTIONS_GAUSSIAN, 0, 0, 1, 1, 0, 0, SHORTLIST_MATRIX_NONE         \
    }

/* Reduced cross-entropy: tokens and items sorted by hash and cut into chunks, each token chunk sees its item chunk and
 * the neighbours of that. Every valid token counts. */
shortlist_status shortlist_rece(double *loss, shortlist_context *context, const shortlist_rece_options *options,
                                const shortlist_batch *batch, const shortlist_outputs *outputs,
                                shortlist_report *report);

/* Ragged candidate blocks. Block k pairs the tokens tokens[token_offsets[k] .. token_offsets[k + 1] - 1] (rows of
 * hidden, each at most once in a block) with the items items[item_offsets[k] .. item_offsets[k + 1] - 1]. An item
 * that stands twice in a block counts once. */
typedef struct shortlist_given_candidates_options {
    uint32_t struct_size;
    int32_t combination;          /* SHORTLIST_COMBINATION_...; MAX */
    int64_t block_count;
    const int64_t *token_offsets; /* block_count + 1, beginning at 0, never falling */
    const int32_t *tokens;        /* token_offsets[block_count] */
    const int64_t *item_offsets;  /* block_count + 1, beginning at 0, never falling */
    const int32_t *items;         /* item_offsets[block_count] */
    const float *log_weights;     /* parallel to items, added to the candidates' logits (minus log q of a sampled
                                     candidate), or NULL */
    const uint8_t *contributes_to_catalog_gradient; /* block_count flags, or NULL: each 1. A block with 0 acts on the
                                                       loss and on the hidden gradient; its candidates get no catalog
                                                       or bias gradient */
} shortlist_given_candidates_options;

#define SHORTLIST_GIVEN_CANDIDATES_OPTIONS_INIT                                                                        \
    {                                                                                                                  \
        sizeof(shortlist_given_candidates_options), SHORTLIST_COMBINATION_MAX, 0, NULL, NULL, NULL, NULL, NULL, NULL   \
    }

/* Cross-entropy over the caller's own candidates: mined or in-batch negatives, or a selection exported from a state.
 * Tokens in no block do not count. */
shortlist_status shortlist_given_candidates(double *loss, shortlist_context *context,
                                            const shortlist_given_candidates_options *options,
                                            const shortlist_batch *batch, const shortlist_outputs *outputs,
                                            shortlist_report *report);

/* ================================================================================================================== *
 * Retrieval and ranking
 * ================================================================================================================== */

/* Queries against a catalog. The score of item j for query i is <query_i, item_j> + bias_j. (A model trained with a
 * scale and a bias multiplies its queries by the scale.) */
typedef struct shortlist_query {
    uint32_t struct_size;
    int32_t reserved;                 /* 0 */
    shortlist_matrix queries;         /* Q x d */
    shortlist_catalog *catalog;       /* a catalog of the same context, or NULL and instead: */
    shortlist_matrix items;           /* C x d */
    const float *item_bias;           /* C, or NULL; only with `items` */
    shortlist_lists seen;             /* Q lists of items to leave out for each query; or none */
    shortlist_indices excluded_items; /* left out for every query */
} shortlist_query;

#define SHORTLIST_QUERY_INIT                                                                                           \
    {                                                                                                                  \
        sizeof(shortlist_query), 0, SHORTLIST_MATRIX_NONE, NULL, SHORTLIST_MATRIX_NONE, NULL, SHORTLIST_LISTS_NONE,    \
            SHORTLIST_INDICES_NONE                                                                                     \
    }

/* The k best items of each query, best first; ties go to the lower item, NaN is below everything.
 *
 * ids        out: Q x k item numbers; places that cannot be filled are -1
 * scores     out, may be NULL: Q x k scores; minus infinity where the id is -1
 * context    where it runs
 * query      required
 * k          places a query, >= 1
 * report     out, may be NULL
 *
 * Thread, memory and errors as for the losses. Since 0.1.0. */
shortlist_status shortlist_top_k(int32_t *ids, float *scores, shortlist_context *context, const shortlist_query *query,
                                 int64_t k, shortlist_report *report);

/* The rank of each query's target among the items that are not left out, from 1: one more than the number of items
 * that score higher, or the same with a lower number. The target itself always takes part, also when it is in `seen`.
 * With ranks, HR@k is the share of ranks <= k, MRR the mean of 1 / rank, NDCG@k the mean of 1 / log2(1 + rank) for
 * ranks <= k.
 *
 * ranks      out: Q numbers
 * targets    Q item numbers; one outside 0 .. C-1 is SHORTLIST_TARGET_OUT_OF_RANGE, an excluded item
 *            SHORTLIST_EXCLUDED_TARGET
 * Thread, memory and errors as for the losses. Since 0.1.0. */
shortlist_status shortlist_target_ranks(int64_t *ranks, shortlist_context *context, const shortlist_query *query,
                                        const shortlist_indices *targets, shortlist_report *report);

/* ================================================================================================================== *
 * Contexts
 * ================================================================================================================== */

/* Called now and then during a long call, on the thread that made the call. Anything but 0 ends the call soon after
 * with SHORTLIST_CANCELLED. It may not use the context (SHORTLIST_BUSY), and it must return: no longjmp and no C++
 * exception may leave it. */
typedef int32_t (*shortlist_stop_callback)(void *user_data);

typedef struct shortlist_context_options {
    uint32_t struct_size;
    int32_t threads;                     /* worker threads, the calling one included; 0: one for each processor */
    const char *backend;                 /* "cpu", "vulkan"; NULL: the best that can run here. A backend that is asked for
                                            and cannot run is an error, never replaced */
    int32_t device;                      /* index among the devices of the named backend; -1: the best */
    int32_t reserved;                    /* 0 */
    int64_t workspace_limit;             /* bytes that a call may use beside inputs and outputs; 0: no limit */
    shortlist_stop_callback should_stop; /* or NULL */
    void *stop_user_data;                /* passed to should_stop */
} shortlist_context_options;

#define SHORTLIST_CONTEXT_OPTIONS_INIT { sizeof(shortlist_context_options), 0, NULL, -1, 0, 0, NULL, NULL }

/* Makes a context. context: out. options: NULL for the defaults.
 * Ownership: release it with shortlist_context_release.
 * Thread: any, at any time. Errors: SHORTLIST_INVALID_ARGUMENT, _UNKNOWN_BACKEND, _BACKEND_UNAVAILABLE, _OUT_OF_MEMORY,
 * _FORKED. Since 0.1.0. */
shortlist_status shortlist_context_create(shortlist_context **context, const shortlist_context_options *options);

/* Releases a context: its threads end and its workspace is given back once nothing made from it is left. NULL is
 * SHORTLIST_OK and does nothing.
 * Thread: any; SHORTLIST_BUSY while another uses it (it is then not released). Errors: SHORTLIST_INVALID_HANDLE, _BUSY,
 * _FORKED. Since 0.1.0. */
shortlist_status shortlist_context_release(shortlist_context *context);

/* Which backend and device a context runs on, and why. Strings are UTF-8, end in NUL, are cut if they do not fit. */
typedef struct shortlist_context_info {
    uint32_t struct_size;
    int32_t threads;         /* worker threads, the calling one included */
    int64_t workspace_limit; /* bytes; 0: none */
    char backend[32];
    char device[128];
    char reason[320];
} shortlist_context_info;

#define SHORTLIST_CONTEXT_INFO_INIT { sizeof(shortlist_context_info), 0, 0, "", "", "" }

/* info: out. Thread: as the context. Since 0.1.0.
 * Errors: SHORTLIST_INVALID_ARGUMENT, _INVALID_HANDLE, _BUSY, _FORKED. */
shortlist_status shortlist_context_get_info(shortlist_context_info *info, shortlist_context *context);

/* A device that a backend knows, or a backend that has none. */
typedef struct shortlist_device_info {
    uint32_t struct_size;
    int32_t available; /* 1: a context can be made on it; 0: `reason` says why not */
    int64_t score;     /* the available device of the highest score is chosen when none is named */
    int32_t index;     /* what shortlist_context_options.device takes; -1 for a backend without a device */
    int32_t reserved;  /* 0 */
    char backend[32];
    char device[128];
    char reason[320];
} shortlist_device_info;

#define SHORTLIST_DEVICE_INFO_INIT { sizeof(shortlist_device_info), 0, 0, 0, 0, "", "", "" }

/* The number of entries in the list of devices. A backend that cannot run here is in the list too, with the reason.
 * count: out. Thread: any, at any time. Errors: SHORTLIST_INVALID_ARGUMENT, _FORKED. Since 0.1.0. */
shortlist_status shortlist_device_count(int64_t *count);

/* Entry `position` (0 .. count - 1) of that list. info: out.
 * Thread: any, at any time. Errors: SHORTLIST_INVALID_ARGUMENT, _INDEX_OUT_OF_RANGE, _FORKED. Since 0.1.0. */
shortlist_status shortlist_device_get_info(shortlist_device_info *info, int64_t position);

/* ================================================================================================================== *
 * Catalogs
 *
 * A catalog makes item vectors known to a context once instead of with every call. On the CPU it is a view of the
 * caller's memory; on a device it is a resident copy. Code that is right for both: keep the memory alive until the
 * catalog and the states made with it are released, and call an update after changing it, before the next call that
 * should see the change. (Without the update the CPU sees the change, a device does not.)
 * ================================================================================================================== */

/* Makes a catalog of `items` (C x d) with an optional bias (C numbers, or NULL; minus infinity leaves an item out).
 * catalog: out. Ownership: release it with shortlist_catalog_release; the memory stays the caller's.
 * Thread: as the context. Errors: SHORTLIST_INVALID_ARGUMENT, _OUT_OF_MEMORY, _UNSUPPORTED, _INVALID_HANDLE, _BUSY,
 * _FORKED, _DEVICE_LOST, _OVERFLOW. Since 0.1.0. */
shortlist_status shortlist_catalog_create(shortlist_catalog **catalog, shortlist_context *context,
                                          const shortlist_matrix *items, const float *item_bias);

/* All items and biases may have changed. Thread and errors as shortlist_catalog_create. Since 0.1.0. */
shortlist_status shortlist_catalog_update(shortlist_catalog *catalog);

/* Only these items (in any order, repeats allowed) and their biases have changed.
 * Errors: also SHORTLIST_INDEX_OUT_OF_RANGE. Thread as shortlist_catalog_create. Since 0.1.0. */
shortlist_status shortlist_catalog_update_rows(shortlist_catalog *catalog, const shortlist_indices *rows);

/* NULL is SHORTLIST_OK and does nothing. Thread: any; SHORTLIST_BUSY while its context is in use.
 * Errors: SHORTLIST_INVALID_HANDLE, _BUSY, _FORKED. Since 0.1.0. */
shortlist_status shortlist_catalog_release(shortlist_catalog *catalog);

/* ================================================================================================================== *
 * Advanced: forward and backward apart
 *
 * A forward call gives the loss and a saved state (selection, log-sum-exp, winners, which tokens counted); any number
 * of backward calls use it, each with its own upstream and its own choice of gradients; nothing is selected again.
 * The results are those of the one call. The state keeps looking at hidden, targets, weights, items and item_bias (or
 * the catalog's memory): keep them alive and unchanged until the state is released. Everything else is used during
 * the call only.
 *
 * state      out: release it with shortlist_state_release
 * outputs    may ask for token_losses and log_sum_exp only; NULL: neither
 * The rest, threads and errors as for the one call. Since 0.1.0, all four.
 * ================================================================================================================== */

shortlist_status shortlist_cross_entropy_forward(shortlist_state **state, double *loss, shortlist_context *context,
                                                 const shortlist_cross_entropy_options *options,
                                                 const shortlist_batch *batch, const shortlist_outputs *outputs,
                                                 shortlist_report *report);
shortlist_status shortlist_sce_forward(shortlist_state **state, double *loss, shortlist_context *context,
                                       const shortlist_sce_options *options, const shortlist_batch *batch,
                                       const shortlist_outputs *outputs, shortlist_report *report);
shortlist_status shortlist_rece_forward(shortlist_state **state, double *loss, shortlist_context *context,
                                        const shortlist_rece_options *options, const shortlist_batch *batch,
                                        const shortlist_outputs *outputs, shortlist_report *report);
shortlist_status shortlist_given_candidates_forward(shortlist_state **state, double *loss, shortlist_context *context,
                                                    const shortlist_given_candidates_options *options,
                                                    const shortlist_batch *batch, const shortlist_outputs *outputs,
                                                    shortlist_report *report);

/* The gradients that `outputs` asks for (its token_losses and log_sum_exp must be NULL), from a saved state.
 * report: out, may be NULL. Thread: as the context the state was made with. Errors as the losses. Since 0.1.0. */
shortlist_status shortlist_backward(shortlist_state *state, const shortlist_outputs *outputs, shortlist_report *report);

/* NULL is SHORTLIST_OK and does nothing. Thread: any; SHORTLIST_BUSY while its context is in use.
 * Errors: SHORTLIST_INVALID_HANDLE, _BUSY, _FORKED. Since 0.1.0. */
shortlist_status shortlist_state_release(shortlist_state *state);

/* How large the selection of a state is: block_count blocks that hold token_count tokens and item_count items
 * together. Each out parameter may be NULL. Thread: as the context. Errors: SHORTLIST_UNSUPPORTED for exact cross-
 * entropy, whose one block is everything; SHORTLIST_INVALID_HANDLE, _BUSY, _FORKED. Since 0.1.0. */
shortlist_status shortlist_state_selection_size(int64_t *block_count, int64_t *token_count, int64_t *item_count,
                                                shortlist_state *state);

/* The selection of a state, in the form that shortlist_given_candidates takes: with the same batch and combination it
 * gives the same losses. RECE's rounds and chunks come as blocks for SHORTLIST_COMBINATION_UNION.
 *
 * token_offsets, item_offsets   out: block_count + 1 numbers each
 * tokens, items                 out: token_count, item_count numbers. Items ascend within a block, but for RECE's,
 *                               which stand in the order of their hashes
 * Thread and errors as shortlist_state_selection_size. Since 0.1.0. */
shortlist_status shortlist_state_get_selection(int64_t *token_offsets, int32_t *tokens, int64_t *item_offsets,
                                               int32_t *items, shortlist_state *state);

/* The block of the selection through which each token's gradient flows.
 *
 * winners       out: N numbers. With SHORTLIST_COMBINATION_MAX the winning block (the lowest on a tie), with _UNION
 *               0, and -1 for a token that does not count
 * token_count   N
 * Thread as the context. Errors: SHORTLIST_INVALID_ARGUMENT, _ROOM_TOO_SMALL, _INVALID_HANDLE, _BUSY, _FORKED.
 * Since 0.1.0. */
shortlist_status shortlist_state_get_winners(int32_t *winners, int64_t token_count, shortlist_state *state);

/* ================================================================================================================== *
 * Advanced: random numbers
 *
 * Philox 4x32-10, so that others can draw the directions that a selection used. Pure functions.
 * ================================================================================================================== */

/* One block of the generator: ten rounds. result: out, 4 words. counter: 4 words, key: 2 words; lowest first.
 * Thread: any, at any time. Errors: SHORTLIST_INVALID_ARGUMENT. Since 0.1.0. */
shortlist_status shortlist_philox_block(uint32_t *result, const uint32_t *counter, const uint32_t *key);

/* What a draw is for. */
enum {
    SHORTLIST_STREAM_DIRECTIONS = 0, /* of SCE (rows from 0), and of RECE (round r: rows from r * bucket_count) */
    SHORTLIST_STREAM_MIXING = 1      /* the mixing weights of SCE's MIX when d > bucket_count */
    /* 2 .. 255 are for later versions */
};

/* Standard normal numbers: entry (r, c) of `draws` becomes entry (first_row + r, c) of the infinite matrix that seed,
 * step and stream name. SCE with GAUSSIAN directions uses draws of bucket_count x d from row 0 of
 * SHORTLIST_STREAM_DIRECTIONS. draws: out. seed: any. step: below 2^56. stream: SHORTLIST_STREAM_.... first_row: >=
 * 0. Thread: any, at any time. Errors: SHORTLIST_INVALID_ARGUMENT, _UNSUPPORTED, _OVERFLOW. Since 0.1.0. */
shortlist_status shortlist_philox_normal(const shortlist_mutable_matrix *draws, uint64_t seed, uint64_t step,
                                         int32_t stream, int64_t first_row);

#ifdef __cplusplus
}
#endif

#endif /* SHORTLIST_H */
