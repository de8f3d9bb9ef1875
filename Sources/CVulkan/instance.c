#include "internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static VkBool32 VKAPI_PTR on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
    VkDebugUtilsMessageTypeFlagsEXT types, const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)severity, (void)types;
    slv_instance *instance = user;
    if (atomic_fetch_add(&instance->messages, 1) == 0)
        snprintf(instance->first_message, sizeof instance->first_message, "%s", data->pMessage);
    return VK_FALSE;
}

#define LOAD(name) instance->name = (PFN_##name)get(instance->handle, #name)

static const char *make(slv_instance *instance, int validate) {
    instance->library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!instance->library) return "libvulkan.so.1 is not installed (Debian: libvulkan1)";
    PFN_vkGetInstanceProcAddr get = (PFN_vkGetInstanceProcAddr)dlsym(instance->library, "vkGetInstanceProcAddr");
    if (!get) return "libvulkan.so.1 has no vkGetInstanceProcAddr";
    PFN_vkEnumerateInstanceVersion version = (PFN_vkEnumerateInstanceVersion)get(NULL, "vkEnumerateInstanceVersion");
    uint32_t api = 0;
    if (!version || version(&api) != VK_SUCCESS || api < VK_API_VERSION_1_2) return "Vulkan 1.2 is needed";
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    if (!create) return "libvulkan.so.1 has no vkCreateInstance";

    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "shortlist", .apiVersion = VK_API_VERSION_1_2};
    const char *layer = "VK_LAYER_KHRONOS_validation", *extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    const VkValidationFeatureEnableEXT wanted = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT |
                       VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
        .pfnUserCallback = on_message, .pUserData = instance};
    const VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, .pNext = &messenger,
        .enabledValidationFeatureCount = 1, .pEnabledValidationFeatures = &wanted};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
        .pNext = validate ? &features : NULL, .pApplicationInfo = &application, .enabledLayerCount = validate ? 1 : 0,
        .ppEnabledLayerNames = &layer, .enabledExtensionCount = validate ? 1 : 0, .ppEnabledExtensionNames = &extension};
    switch (create(&info, NULL, &instance->handle)) {
    case VK_SUCCESS: break;
    case VK_ERROR_INCOMPATIBLE_DRIVER: return "there is no Vulkan driver";
    case VK_ERROR_LAYER_NOT_PRESENT: return "the validation layer is not installed (Debian: vulkan-validationlayers)";
    default: return "vkCreateInstance failed: no usable driver";
    }
    instance->get = get;
    LOAD(vkDestroyInstance);
    LOAD(vkEnumeratePhysicalDevices);
    LOAD(vkGetPhysicalDeviceProperties2);
    LOAD(vkGetPhysicalDeviceFeatures2);
    LOAD(vkGetPhysicalDeviceMemoryProperties);
    LOAD(vkGetPhysicalDeviceQueueFamilyProperties);
    LOAD(vkCreateDevice);
    LOAD(vkGetDeviceProcAddr);
    if (validate) {
        PFN_vkCreateDebugUtilsMessengerEXT listen =
            (PFN_vkCreateDebugUtilsMessengerEXT)get(instance->handle, "vkCreateDebugUtilsMessengerEXT");
        instance->vkDestroyDebugUtilsMessengerEXT =
            (PFN_vkDestroyDebugUtilsMessengerEXT)get(instance->handle, "vkDestroyDebugUtilsMessengerEXT");
        if (!listen || listen(instance->handle, &messenger, NULL, &instance->messenger) != VK_SUCCESS)
            return "the validation layer cannot be listened to";
    }
    instance->count = SLV_MAX_DEVICES;
    VkResult result = instance->vkEnumeratePhysicalDevices(instance->handle, &instance->count, instance->devices);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE) return "vkEnumeratePhysicalDevices failed";
    if (instance->count == 0) return "there is no Vulkan device";
    return NULL;
}

void slv_instance_create(slv_instance **out, int validate, char *why, size_t why_size) {
    *out = NULL;
    slv_instance *instance = calloc(1, sizeof *instance);
    const char *reason = instance ? make(instance, validate) : "out of memory";
    if (reason) {
        snprintf(why, why_size, "%s", reason);
        slv_instance_destroy(instance);
    } else {
        *out = instance;
    }
}

void slv_instance_destroy(slv_instance *instance) {
    if (!instance) return;
    if (instance->messenger) instance->vkDestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    if (instance->handle && instance->vkDestroyInstance) instance->vkDestroyInstance(instance->handle, NULL);
    // The library stays open: drivers leave threads and exit handlers behind.
    free(instance);
}

uint64_t slv_instance_messages(slv_instance *instance, char *first, size_t first_size) {
    snprintf(first, first_size, "%s", instance->first_message);
    return atomic_load(&instance->messages);
}

uint32_t slv_device_count(const slv_instance *instance) { return instance->count; }

int slv_compute_family(const slv_instance *instance, VkPhysicalDevice device, uint32_t *timestamp_bits) {
    VkQueueFamilyProperties families[16];
    uint32_t count = 16;
    instance->vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families);
    for (uint32_t i = 0; i < count; i++)
        if (families[i].queueFlags & VK_QUEUE_COMPUTE_BIT) {
            *timestamp_bits = families[i].timestampValidBits;
            return (int)i;
        }
    return -1;
}

static void need(slv_device_info *info, const char *without, VkBool32 present, const char *what) {
    if (present && !strstr(without, what)) return;
    size_t length = strlen(info->missing);
    snprintf(info->missing + length, sizeof info->missing - length, "%s%s", length ? ", " : "", what);
}

void slv_device_describe(const slv_instance *instance, uint32_t index, const char *without, slv_device_info *info) {
    memset(info, 0, sizeof *info);
    VkPhysicalDevice device = instance->devices[index];
    VkPhysicalDeviceMaintenance3Properties allocation = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &allocation};
    instance->vkGetPhysicalDeviceProperties2(device, &all);
    const VkPhysicalDeviceProperties *p = &all.properties;
    snprintf(info->name, sizeof info->name, "%s", p->deviceName);
    info->type = p->deviceType;
    info->vendor = p->vendorID;
    info->device = p->deviceID;
    info->api_version = p->apiVersion;
    info->driver_version = p->driverVersion;
    memcpy(info->cache_uuid, p->pipelineCacheUUID, 16);
    info->max_allocation_bytes = allocation.maxMemoryAllocationSize;
    info->max_workgroups = p->limits.maxComputeWorkGroupCount[0];
    info->max_shared_bytes = p->limits.maxComputeSharedMemorySize;
    VkPhysicalDeviceMemoryProperties memory;
    instance->vkGetPhysicalDeviceMemoryProperties(device, &memory);
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if (memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT && memory.memoryHeaps[i].size > info->local_heap_bytes)
            info->local_heap_bytes = memory.memoryHeaps[i].size;
    uint32_t bits = 0;
    need(info, without, slv_compute_family(instance, device, &bits) >= 0, "a compute queue");
    info->timestamp_period = bits ? p->limits.timestampPeriod : 0;
    if (p->apiVersion < VK_API_VERSION_1_2) {
        need(info, without, VK_FALSE, "Vulkan 1.2");
        return;
    }
    VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceFeatures2 f = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f12};
    instance->vkGetPhysicalDeviceFeatures2(device, &f);
    need(info, without, f.features.shaderInt64, "shaderInt64");
    need(info, without, f.features.shaderFloat64, "shaderFloat64");
    need(info, without, f12.bufferDeviceAddress, "bufferDeviceAddress");
    need(info, without, f12.scalarBlockLayout, "scalarBlockLayout");
    need(info, without, f12.timelineSemaphore, "timelineSemaphore");
    need(info, without, p->limits.maxComputeWorkGroupInvocations >= 256, "workgroups of 256");
    need(info, without, p->limits.maxComputeSharedMemorySize >= 32768, "32 KiB of shared memory");
}
