#ifndef SLV_INTERNAL_H
#define SLV_INTERNAL_H
#define VK_NO_PROTOTYPES
#include <stdatomic.h>
#include <vulkan/vulkan.h>

#include "shortlist_vulkan.h"

enum { SLV_MAX_DEVICES = 16 };

struct slv_instance {
    void *library;
    VkInstance handle;
    VkDebugUtilsMessengerEXT messenger;
    _Atomic uint64_t messages;
    char first_message[1024];
    uint32_t count;
    VkPhysicalDevice devices[SLV_MAX_DEVICES];
    PFN_vkGetInstanceProcAddr get;
    PFN_vkDestroyInstance vkDestroyInstance;
    PFN_vkDestroyDebugUtilsMessengerEXT vkDestroyDebugUtilsMessengerEXT;
    PFN_vkEnumeratePhysicalDevices vkEnumeratePhysicalDevices;
    PFN_vkGetPhysicalDeviceProperties2 vkGetPhysicalDeviceProperties2;
    PFN_vkGetPhysicalDeviceFeatures2 vkGetPhysicalDeviceFeatures2;
    PFN_vkGetPhysicalDeviceMemoryProperties vkGetPhysicalDeviceMemoryProperties;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties vkGetPhysicalDeviceQueueFamilyProperties;
    PFN_vkCreateDevice vkCreateDevice;
    PFN_vkGetDeviceProcAddr vkGetDeviceProcAddr;
};

#define SLV_DEVICE_FUNCTIONS(X)                                                                                        \
    X(vkDestroyDevice) X(vkGetDeviceQueue) X(vkDeviceWaitIdle) X(vkAllocateMemory) X(vkFreeMemory) X(vkMapMemory)      \
    X(vkCreateBuffer) X(vkDestroyBuffer) X(vkGetBufferMemoryRequirements) X(vkBindBufferMemory)                        \
    X(vkGetBufferDeviceAddress) X(vkCreateShaderModule) X(vkDestroyShaderModule) X(vkCreatePipelineLayout)             \
    X(vkDestroyPipelineLayout) X(vkCreateComputePipelines) X(vkDestroyPipeline) X(vkCreatePipelineCache)               \
    X(vkDestroyPipelineCache) X(vkGetPipelineCacheData) X(vkCreateCommandPool) X(vkDestroyCommandPool)                 \
    X(vkResetCommandPool) X(vkAllocateCommandBuffers) X(vkBeginCommandBuffer) X(vkEndCommandBuffer)                    \
    X(vkCmdBindPipeline) X(vkCmdPushConstants) X(vkCmdDispatch) X(vkCmdCopyBuffer) X(vkCmdPipelineBarrier)             \
    X(vkCmdResetQueryPool) X(vkCmdWriteTimestamp) X(vkCreateQueryPool) X(vkDestroyQueryPool)                           \
    X(vkGetQueryPoolResults) X(vkCreateSemaphore) X(vkDestroySemaphore) X(vkQueueSubmit) X(vkWaitSemaphores)

struct slv_device {
    VkDevice handle;
    VkQueue queue;
    uint32_t family, timestamp_bits;
    VkPhysicalDeviceMemoryProperties memory;
    VkPipelineLayout layout;
    VkPipelineCache cache;
#define SLV_MEMBER(name) PFN_##name name;
    SLV_DEVICE_FUNCTIONS(SLV_MEMBER)
#undef SLV_MEMBER
};

// The first family that computes, or −1.
int slv_compute_family(const slv_instance *instance, VkPhysicalDevice device, uint32_t *timestamp_bits);

#endif
