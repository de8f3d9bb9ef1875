// The compute shaders of Shaders/, compiled by `make shaders` and embedded.
#ifndef SHORTLIST_SHADERS_H
#define SHORTLIST_SHADERS_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name;
    const uint32_t *code;
    // Bytes of code.
    size_t size;
    // Members of the structure Args, and the offset of its last one.
    uint32_t argument_count;
    uint32_t last_offset;
} sl_shader;

// NULL where there is none of that name.
const sl_shader *sl_find_shader(const char *name);

// Shader `index` in the order of their names; NULL past the last.
const sl_shader *sl_shader_at(size_t index);

#endif
