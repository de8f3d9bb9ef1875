// The few things the Vulkan backend asks of Vulkan. libvulkan.so.1 is opened at run time; every device has a table of
// functions of its own. Vulkan's structures are filled in here, so that Swift sees plain numbers and opaque pointers.
//
// Functions that return int32_t return a VkResult: 0 for success, negative for an error.
#ifndef SHORTLIST_VULKAN_H
#define SHORTLIST_VULKAN_H
#include <stddef.h>
#include <stdint.h>

typedef struct slv_instance slv_instance;
typedef struct slv_device slv_device;

enum { SLV_OUT_OF_HOST_MEMORY = -1, SLV_OUT_OF_DEVICE_MEMORY = -2, SLV_DEVICE_LOST = -4, SLV_TIMEOUT = 2 };

typedef struct {
    char name[256];
    // VkPhysicalDeviceType: 1 integrated, 2 discrete, 3 virtual, 4 a processor.
    uint32_t type;
    uint32_t vendor, device, api_version, driver_version;
    uint8_t cache_uuid[16];
    uint64_t local_heap_bytes;
    uint64_t max_allocation_bytes;
    uint32_t max_workgroups, max_shared_bytes;
    // Nanoseconds a tick; 0 without timestamps on the compute queue.
    float timestamp_period;
    // What is missing of what the backend needs, as text; empty for nothing.
    char missing[256];
} slv_device_info;

// Opens libvulkan.so.1 and makes an instance. On failure *out is NULL and `why` says what is missing. With `validate`,
// the Khronos validation layer checks every call, synchronisation included; it must be installed.
void slv_instance_create(slv_instance **out, int validate, char *why, size_t why_size);
void slv_instance_destroy(slv_instance *instance);
// Warnings and errors of the validation layer so far, and the text of the first.
uint64_t slv_instance_messages(slv_instance *instance, char *first, size_t first_size);

uint32_t slv_device_count(const slv_instance *instance);
// A feature whose name stands in `without` counts as missing, so that tests see what follows.
void slv_device_describe(const slv_instance *instance, uint32_t index, const char *without, slv_device_info *info);
int32_t slv_device_create(const slv_instance *instance, uint32_t index, const void *cache, size_t cache_size,
    slv_device **out);
void slv_device_destroy(slv_device *device);

typedef struct {
    uint64_t buffer, memory, address, size;
    // NULL for memory that the host does not see.
    void *mapped;
} slv_buffer;
enum { SLV_LOCAL = 0, SLV_UPLOAD = 1, SLV_DOWNLOAD = 2 };
int32_t slv_buffer_create(slv_device *device, uint64_t size, int kind, slv_buffer *out);
void slv_buffer_destroy(slv_device *device, const slv_buffer *buffer);

// Pipelines take 24 bytes of push constants and no descriptors.
int32_t slv_pipeline_create(slv_device *device, const uint32_t *code, size_t size, const uint32_t *constants,
    uint32_t constant_count, uint64_t *out);
void slv_pipeline_destroy(slv_device *device, uint64_t pipeline);
// The pipeline cache's bytes: *size in and out; `data` may be NULL to ask for the size.
int32_t slv_cache_data(slv_device *device, void *data, size_t *size);

// A command pool with a command buffer that is recorded and submitted anew, and timestamp queries.
typedef struct {
    uint64_t pool, queries;
    void *commands;
} slv_recorder;
int32_t slv_recorder_create(slv_device *device, uint32_t query_count, slv_recorder *out);
void slv_recorder_destroy(slv_device *device, const slv_recorder *recorder);
int32_t slv_begin(slv_device *device, const slv_recorder *recorder, uint32_t query_count);
int32_t slv_end(slv_device *device, const slv_recorder *recorder);
void slv_dispatch(slv_device *device, const slv_recorder *recorder, uint64_t pipeline, const void *push,
    uint32_t push_size, uint32_t x, uint32_t y);
void slv_copy(slv_device *device, const slv_recorder *recorder, uint64_t from, uint64_t from_offset, uint64_t to,
    uint64_t to_offset, uint64_t size);
// Everything before is seen by everything after: dispatches, copies, and the host's reads.
void slv_barrier(slv_device *device, const slv_recorder *recorder);
void slv_timestamp(slv_device *device, const slv_recorder *recorder, uint32_t query);
// Valid bits of a timestamp; 0 without timestamps on the compute queue.
uint32_t slv_timestamp_bits(const slv_device *device);
int32_t slv_timestamps(slv_device *device, const slv_recorder *recorder, uint32_t count, uint64_t *ticks);

int32_t slv_semaphore_create(slv_device *device, uint64_t *out);
void slv_semaphore_destroy(slv_device *device, uint64_t semaphore);
// Signals `value` on the timeline semaphore when done. The queue must be one thread's at a time.
int32_t slv_submit(slv_device *device, const slv_recorder *recorder, uint64_t semaphore, uint64_t value);
int32_t slv_wait(slv_device *device, uint64_t semaphore, uint64_t value, uint64_t nanoseconds);

#endif
