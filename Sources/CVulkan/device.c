#include "internal.h"

#include <stdlib.h>

static const uint32_t push_bytes = 24;

static VkResult make(slv_device *device, const slv_instance *instance, VkPhysicalDevice physical, const void *cache,
    size_t cache_size) {
    uint32_t bits = 0;
    const int family = slv_compute_family(instance, physical, &bits);
    if (family < 0) return VK_ERROR_FEATURE_NOT_PRESENT;
    device->family = (uint32_t)family;
    device->timestamp_bits = bits;
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
        .queueFamilyIndex = device->family, .queueCount = 1, .pQueuePriorities = &priority};
    VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .bufferDeviceAddress = VK_TRUE, .scalarBlockLayout = VK_TRUE, .timelineSemaphore = VK_TRUE};
    const VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f12,
        .features = {.shaderInt64 = VK_TRUE, .shaderFloat64 = VK_TRUE}};
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features,
        .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue};
    VkResult result = instance->vkCreateDevice(physical, &info, NULL, &device->handle);
    if (result != VK_SUCCESS) return result;
#define SLV_LOAD(name)                                                                                                 \
    device->name = (PFN_##name)instance->vkGetDeviceProcAddr(device->handle, #name);                                   \
    if (!device->name) return VK_ERROR_INITIALIZATION_FAILED;
    SLV_DEVICE_FUNCTIONS(SLV_LOAD)
#undef SLV_LOAD
    device->vkGetDeviceQueue(device->handle, device->family, 0, &device->queue);
    instance->vkGetPhysicalDeviceMemoryProperties(physical, &device->memory);
    const VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = push_bytes};
    const VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .pushConstantRangeCount = 1, .pPushConstantRanges = &range};
    result = device->vkCreatePipelineLayout(device->handle, &layout, NULL, &device->layout);
    if (result != VK_SUCCESS) return result;
    const VkPipelineCacheCreateInfo saved = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
        .initialDataSize = cache_size, .pInitialData = cache};
    return device->vkCreatePipelineCache(device->handle, &saved, NULL, &device->cache);
}

int32_t slv_device_create(const slv_instance *instance, uint32_t index, const void *cache, size_t cache_size,
    slv_device **out) {
    *out = NULL;
    slv_device *device = calloc(1, sizeof *device);
    if (!device) return VK_ERROR_OUT_OF_HOST_MEMORY;
    const VkResult result = make(device, instance, instance->devices[index], cache, cache_size);
    if (result == VK_SUCCESS) *out = device;
    else slv_device_destroy(device);
    return result;
}

void slv_device_destroy(slv_device *device) {
    if (!device) return;
    if (device->handle && device->vkDestroyDevice) {
        if (device->vkDeviceWaitIdle) device->vkDeviceWaitIdle(device->handle);
        if (device->cache) device->vkDestroyPipelineCache(device->handle, device->cache, NULL);
        if (device->layout) device->vkDestroyPipelineLayout(device->handle, device->layout, NULL);
        device->vkDestroyDevice(device->handle, NULL);
    }
    free(device);
}

// The first memory type that is allowed and has all of `wanted`, or −1.
static int memory_type(const slv_device *device, uint32_t allowed, VkMemoryPropertyFlags wanted) {
    for (uint32_t i = 0; i < device->memory.memoryTypeCount; i++)
        if (allowed >> i & 1 && (device->memory.memoryTypes[i].propertyFlags & wanted) == wanted) return (int)i;
    return -1;
}

int32_t slv_buffer_create(slv_device *device, uint64_t size, int kind, slv_buffer *out) {
    *out = (slv_buffer){0};
    const VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size,
        .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT,
        .sharingMode = VK_SHARING_MODE_EXCLUSIVE};
    VkBuffer buffer = VK_NULL_HANDLE;
    VkResult result = device->vkCreateBuffer(device->handle, &info, NULL, &buffer);
    if (result != VK_SUCCESS) return result;
    VkMemoryRequirements requirements;
    device->vkGetBufferMemoryRequirements(device->handle, buffer, &requirements);
    const VkMemoryPropertyFlags seen = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    int type = -1;
    if (kind == SLV_LOCAL) type = memory_type(device, requirements.memoryTypeBits, VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT);
    if (kind == SLV_DOWNLOAD)  // Reading uncached memory is slow.
        type = memory_type(device, requirements.memoryTypeBits, seen | VK_MEMORY_PROPERTY_HOST_CACHED_BIT);
    if (kind != SLV_LOCAL && type < 0) type = memory_type(device, requirements.memoryTypeBits, seen);
    const VkMemoryAllocateFlagsInfo flags = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO,
        .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT};
    const VkMemoryAllocateInfo allocation = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .pNext = &flags,
        .allocationSize = requirements.size, .memoryTypeIndex = (uint32_t)type};
    VkDeviceMemory memory = VK_NULL_HANDLE;
    result = type < 0 ? VK_ERROR_FEATURE_NOT_PRESENT
                      : device->vkAllocateMemory(device->handle, &allocation, NULL, &memory);
    if (result == VK_SUCCESS) result = device->vkBindBufferMemory(device->handle, buffer, memory, 0);
    if (result == VK_SUCCESS && kind != SLV_LOCAL)
        result = device->vkMapMemory(device->handle, memory, 0, VK_WHOLE_SIZE, 0, &out->mapped);
    if (result != VK_SUCCESS) {
        device->vkDestroyBuffer(device->handle, buffer, NULL);
        if (memory) device->vkFreeMemory(device->handle, memory, NULL);
        return result;
    }
    const VkBufferDeviceAddressInfo where = {.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO, .buffer = buffer};
    out->address = device->vkGetBufferDeviceAddress(device->handle, &where);
    out->buffer = (uint64_t)buffer;
    out->memory = (uint64_t)memory;
    out->size = size;
    return VK_SUCCESS;
}

void slv_buffer_destroy(slv_device *device, const slv_buffer *buffer) {
    device->vkDestroyBuffer(device->handle, (VkBuffer)buffer->buffer, NULL);
    device->vkFreeMemory(device->handle, (VkDeviceMemory)buffer->memory, NULL);
}

int32_t slv_pipeline_create(slv_device *device, const uint32_t *code, size_t size, const uint32_t *constants,
    uint32_t constant_count, uint64_t *out) {
    *out = 0;
    const VkShaderModuleCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code};
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult result = device->vkCreateShaderModule(device->handle, &info, NULL, &module);
    if (result != VK_SUCCESS) return result;
    VkSpecializationMapEntry entries[8];
    if (constant_count > 8) constant_count = 8;
    for (uint32_t i = 0; i < constant_count; i++) entries[i] = (VkSpecializationMapEntry){i, i * 4, 4};
    const VkSpecializationInfo special = {constant_count, entries, constant_count * 4, constants};
    const VkComputePipelineCreateInfo pipeline = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, .stage = VK_SHADER_STAGE_COMPUTE_BIT,
            .module = module, .pName = "main", .pSpecializationInfo = &special},
        .layout = device->layout};
    VkPipeline made = VK_NULL_HANDLE;
    result = device->vkCreateComputePipelines(device->handle, device->cache, 1, &pipeline, NULL, &made);
    device->vkDestroyShaderModule(device->handle, module, NULL);
    *out = (uint64_t)made;
    return result;
}

void slv_pipeline_destroy(slv_device *device, uint64_t pipeline) {
    device->vkDestroyPipeline(device->handle, (VkPipeline)pipeline, NULL);
}

int32_t slv_cache_data(slv_device *device, void *data, size_t *size) {
    return device->vkGetPipelineCacheData(device->handle, device->cache, size, data);
}
