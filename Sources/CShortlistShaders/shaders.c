#include "shortlist_shaders.h"

#include <string.h>

// Known to the toolchain's clang in every language mode; C23 by name.
#pragma clang diagnostic ignored "-Wc23-extensions"
#include "table.inc"

const sl_shader *sl_shader_at(size_t index) {
    return index < sizeof shaders / sizeof shaders[0] ? &shaders[index] : NULL;
}

const sl_shader *sl_find_shader(const char *name) {
    for (size_t i = 0; i < sizeof shaders / sizeof shaders[0]; i++)
        if (strcmp(shaders[i].name, name) == 0) return &shaders[i];
    return NULL;
}
