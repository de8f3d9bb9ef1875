#include "internal.h"

int32_t slv_recorder_create(slv_device *device, uint32_t query_count, slv_recorder *out) {
    *out = (slv_recorder){0};
    const VkCommandPoolCreateInfo info = {
        .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, .queueFamilyIndex = device->family};
    VkCommandPool pool = VK_NULL_HANDLE;
    VkResult result = device->vkCreateCommandPool(device->handle, &info, NULL, &pool);
    if (result != VK_SUCCESS) return result;
    const VkCommandBufferAllocateInfo one = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
        .commandPool = pool, .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1};
    VkCommandBuffer commands = VK_NULL_HANDLE;
    result = device->vkAllocateCommandBuffers(device->handle, &one, &commands);
    VkQueryPool queries = VK_NULL_HANDLE;
    if (result == VK_SUCCESS && query_count > 0) {
        const VkQueryPoolCreateInfo timestamps = {.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = query_count};
        result = device->vkCreateQueryPool(device->handle, &timestamps, NULL, &queries);
    }
    if (result != VK_SUCCESS) {
        device->vkDestroyCommandPool(device->handle, pool, NULL);
        return result;
    }
    *out = (slv_recorder){(uint64_t)pool, (uint64_t)queries, commands};
    return VK_SUCCESS;
}

void slv_recorder_destroy(slv_device *device, const slv_recorder *recorder) {
    device->vkDestroyCommandPool(device->handle, (VkCommandPool)recorder->pool, NULL);
    if (recorder->queries) device->vkDestroyQueryPool(device->handle, (VkQueryPool)recorder->queries, NULL);
}

int32_t slv_begin(slv_device *device, const slv_recorder *recorder, uint32_t query_count) {
    VkResult result = device->vkResetCommandPool(device->handle, (VkCommandPool)recorder->pool, 0);
    if (result != VK_SUCCESS) return result;
    const VkCommandBufferBeginInfo info = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
        .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
    result = device->vkBeginCommandBuffer(recorder->commands, &info);
    if (result == VK_SUCCESS && recorder->queries)
        device->vkCmdResetQueryPool(recorder->commands, (VkQueryPool)recorder->queries, 0, query_count);
    return result;
}

int32_t slv_end(slv_device *device, const slv_recorder *recorder) {
    return device->vkEndCommandBuffer(recorder->commands);
}

void slv_dispatch(slv_device *device, const slv_recorder *recorder, uint64_t pipeline, const void *push,
    uint32_t push_size, uint32_t x, uint32_t y) {
    device->vkCmdBindPipeline(recorder->commands, VK_PIPELINE_BIND_POINT_COMPUTE, (VkPipeline)pipeline);
    device->vkCmdPushConstants(
        recorder->commands, device->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_size, push);
    device->vkCmdDispatch(recorder->commands, x, y, 1);
}

void slv_copy(slv_device *device, const slv_recorder *recorder, uint64_t from, uint64_t from_offset, uint64_t to,
    uint64_t to_offset, uint64_t size) {
    const VkBufferCopy region = {from_offset, to_offset, size};
    device->vkCmdCopyBuffer(recorder->commands, (VkBuffer)from, (VkBuffer)to, 1, &region);
}

void slv_barrier(slv_device *device, const slv_recorder *recorder) {
    const VkPipelineStageFlags stages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
    const VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
        .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT,
        .dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_TRANSFER_WRITE_BIT | VK_ACCESS_HOST_READ_BIT};
    device->vkCmdPipelineBarrier(
        recorder->commands, stages, stages | VK_PIPELINE_STAGE_HOST_BIT, 0, 1, &barrier, 0, NULL, 0, NULL);
}

void slv_timestamp(slv_device *device, const slv_recorder *recorder, uint32_t query) {
    device->vkCmdWriteTimestamp(
        recorder->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, (VkQueryPool)recorder->queries, query);
}

uint32_t slv_timestamp_bits(const slv_device *device) { return device->timestamp_bits; }

int32_t slv_timestamps(slv_device *device, const slv_recorder *recorder, uint32_t count, uint64_t *ticks) {
    return device->vkGetQueryPoolResults(device->handle, (VkQueryPool)recorder->queries, 0, count, count * 8, ticks, 8,
        VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT);
}

int32_t slv_semaphore_create(slv_device *device, uint64_t *out) {
    const VkSemaphoreTypeCreateInfo timeline = {
        .sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO, .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE};
    const VkSemaphoreCreateInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &timeline};
    VkSemaphore semaphore = VK_NULL_HANDLE;
    const VkResult result = device->vkCreateSemaphore(device->handle, &info, NULL, &semaphore);
    *out = (uint64_t)semaphore;
    return result;
}

void slv_semaphore_destroy(slv_device *device, uint64_t semaphore) {
    device->vkDestroySemaphore(device->handle, (VkSemaphore)semaphore, NULL);
}

int32_t slv_submit(slv_device *device, const slv_recorder *recorder, uint64_t semaphore, uint64_t value) {
    const VkSemaphore signal = (VkSemaphore)semaphore;
    const VkCommandBuffer commands = recorder->commands;
    const VkTimelineSemaphoreSubmitInfo timeline = {.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
        .signalSemaphoreValueCount = 1, .pSignalSemaphoreValues = &value};
    const VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .pNext = &timeline, .commandBufferCount = 1,
        .pCommandBuffers = &commands, .signalSemaphoreCount = 1, .pSignalSemaphores = &signal};
    return device->vkQueueSubmit(device->queue, 1, &info, VK_NULL_HANDLE);
}

int32_t slv_wait(slv_device *device, uint64_t semaphore, uint64_t value, uint64_t nanoseconds) {
    const VkSemaphore one = (VkSemaphore)semaphore;
    const VkSemaphoreWaitInfo info = {.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO, .semaphoreCount = 1,
        .pSemaphores = &one, .pValues = &value};
    return device->vkWaitSemaphores(device->handle, &info, nanoseconds);
}
