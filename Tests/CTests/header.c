/* The header alone: included first, used in every way a program would; compiled as C99 and as C++11 with warnings as
 * errors. */
#include <shortlist.h>
#include <shortlist.h> /* twice does no harm */

#if SHORTLIST_VERSION != 100
#error "the version macro must work in the preprocessor"
#endif

shortlist_batch batch = SHORTLIST_BATCH_INIT;
shortlist_outputs outputs = SHORTLIST_OUTPUTS_INIT;
shortlist_report report = SHORTLIST_REPORT_INIT;
shortlist_cross_entropy_options cross_entropy_options = SHORTLIST_CROSS_ENTROPY_OPTIONS_INIT;
shortlist_sce_options sce_options = SHORTLIST_SCE_OPTIONS_INIT;
shortlist_rece_options rece_options = SHORTLIST_RECE_OPTIONS_INIT;
shortlist_given_candidates_options given_options = SHORTLIST_GIVEN_CANDIDATES_OPTIONS_INIT;
shortlist_query query = SHORTLIST_QUERY_INIT;
shortlist_context_options context_options = SHORTLIST_CONTEXT_OPTIONS_INIT;
shortlist_context_info context_info = SHORTLIST_CONTEXT_INFO_INIT;
shortlist_device_info device_info = SHORTLIST_DEVICE_INFO_INIT;
shortlist_matrix matrix = SHORTLIST_MATRIX_NONE;
shortlist_mutable_matrix mutable_matrix = SHORTLIST_MATRIX_NONE;
shortlist_indices indices = SHORTLIST_INDICES_NONE;
shortlist_lists lists = SHORTLIST_LISTS_NONE;

int main(void) {
    float numbers[6] = {0, 1, 2, 3, 4, 5};
    int32_t narrow[2] = {0, 1};
    int64_t wide[2] = {0, 1};
    matrix = shortlist_matrix_f32(numbers, 2, 3);
    mutable_matrix = shortlist_mutable_matrix_f32(numbers, 2, 3);
    indices = shortlist_indices_i32(narrow, 2);
    indices = shortlist_indices_i64(wide, 2);
    return shortlist_version() == SHORTLIST_VERSION && indices.dtype == SHORTLIST_INT64 && batch.scale > 0 ? 0 : 1;
}
