// Prints every Vulkan device's features and limits, as far as compute shaders care, as JSON. libvulkan.so.1 is opened
// at run time. vulkaninfo says more, and needs libraries for windows that a machine for computing rarely has.
#define VK_NO_PROTOTYPES
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

static PFN_vkGetInstanceProcAddr get;
#define LOAD(instance, name) PFN_##name name = (PFN_##name)get(instance, #name)

static int fail(const char *what, int result) {
    fprintf(stderr, "%s (VkResult %d)\n", what, result);
    return 1;
}

// A driver's text: quotes and backslashes are escaped, control characters dropped.
static void text(const char *name, const char *value) {
    printf("  \"%s\": \"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') putchar('\\');
        if ((unsigned char)*value >= 32) putchar(*value);
    }
    printf("\",\n");
}
static void number(const char *name, unsigned long long value) { printf("  \"%s\": %llu,\n", name, value); }
static void flag(const char *name, VkBool32 value) { printf("  \"%s\": %s,\n", name, value ? "true" : "false"); }

static const char *const extensions_of_interest[] = {
    "VK_KHR_cooperative_matrix", "VK_NV_cooperative_matrix", "VK_NV_cooperative_matrix2", "VK_EXT_shader_atomic_float",
    "VK_EXT_memory_budget", "VK_EXT_external_memory_host", "VK_KHR_external_memory_fd", "VK_EXT_subgroup_size_control",
    "VK_KHR_pipeline_executable_properties", "VK_KHR_synchronization2", "VK_EXT_calibrated_timestamps",
    "VK_NV_shader_sm_builtins", "VK_KHR_shader_integer_dot_product", "VK_KHR_workgroup_memory_explicit_layout",
};

static void extensions(VkInstance instance, VkPhysicalDevice device) {
    LOAD(instance, vkEnumerateDeviceExtensionProperties);
    uint32_t count = 0;
    vkEnumerateDeviceExtensionProperties(device, NULL, &count, NULL);
    VkExtensionProperties *all = calloc(count ? count : 1, sizeof *all);
    if (!all) exit(fail("no memory for the list of extensions", 0));
    vkEnumerateDeviceExtensionProperties(device, NULL, &count, all);
    const char *separator = "";
    printf("  \"extensions\": [");
    for (size_t i = 0; i < sizeof extensions_of_interest / sizeof *extensions_of_interest; i++)
        for (uint32_t j = 0; j < count; j++)
            if (!strcmp(all[j].extensionName, extensions_of_interest[i])) {
                printf("%s\"%s\"", separator, extensions_of_interest[i]);
                separator = ", ";
            }
    printf("],\n");
    free(all);
}

static void memory(VkInstance instance, VkPhysicalDevice device) {
    LOAD(instance, vkGetPhysicalDeviceMemoryProperties);
    VkPhysicalDeviceMemoryProperties found;
    vkGetPhysicalDeviceMemoryProperties(device, &found);
    printf("  \"heaps\": [");
    for (uint32_t i = 0; i < found.memoryHeapCount; i++)
        printf("%s{\"bytes\": %llu, \"device_local\": %s}", i ? ", " : "",
            (unsigned long long)found.memoryHeaps[i].size,
            found.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT ? "true" : "false");
    printf("],\n  \"memory_types\": [");
    for (uint32_t i = 0; i < found.memoryTypeCount; i++) {
        VkMemoryPropertyFlags flags = found.memoryTypes[i].propertyFlags;
        printf("%s{\"heap\": %u, \"device_local\": %d, \"host_visible\": %d, \"host_coherent\": %d, \"host_cached\": %d}",
            i ? ", " : "", found.memoryTypes[i].heapIndex, !!(flags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT),
            !!(flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT), !!(flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT),
            !!(flags & VK_MEMORY_PROPERTY_HOST_CACHED_BIT));
    }
    printf("],\n");
}

static void queues(VkInstance instance, VkPhysicalDevice device) {
    LOAD(instance, vkGetPhysicalDeviceQueueFamilyProperties);
    uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, NULL);
    VkQueueFamilyProperties *all = calloc(count ? count : 1, sizeof *all);
    if (!all) exit(fail("no memory for the list of queues", 0));
    vkGetPhysicalDeviceQueueFamilyProperties(device, &count, all);
    printf("  \"queue_families\": [");
    for (uint32_t i = 0; i < count; i++)
        printf("%s{\"count\": %u, \"graphics\": %d, \"compute\": %d, \"transfer\": %d, \"timestamp_bits\": %u}",
            i ? ", " : "", all[i].queueCount, !!(all[i].queueFlags & VK_QUEUE_GRAPHICS_BIT),
            !!(all[i].queueFlags & VK_QUEUE_COMPUTE_BIT), !!(all[i].queueFlags & VK_QUEUE_TRANSFER_BIT),
            all[i].timestampValidBits);
    printf("],\n");
    free(all);
}

static void describe(VkInstance instance, VkPhysicalDevice device, uint32_t index) {
    LOAD(instance, vkGetPhysicalDeviceProperties);
    LOAD(instance, vkGetPhysicalDeviceProperties2);
    LOAD(instance, vkGetPhysicalDeviceFeatures2);
    VkPhysicalDeviceProperties plain;
    vkGetPhysicalDeviceProperties(device, &plain);
    static const char *const kinds[] = {"other", "integrated GPU", "discrete GPU", "virtual GPU", "processor"};
    char version[64];
    printf(" {\n");
    number("index", index);
    text("name", plain.deviceName);
    text("type", plain.deviceType <= 4 ? kinds[plain.deviceType] : "other");
    snprintf(version, sizeof version, "%u.%u.%u", VK_API_VERSION_MAJOR(plain.apiVersion),
        VK_API_VERSION_MINOR(plain.apiVersion), VK_API_VERSION_PATCH(plain.apiVersion));
    text("api_version", version);
    number("vendor_id", plain.vendorID);
    number("device_id", plain.deviceID);
    const VkPhysicalDeviceLimits *limits = &plain.limits;
    number("max_compute_shared_memory_bytes", limits->maxComputeSharedMemorySize);
    number("max_compute_workgroup_invocations", limits->maxComputeWorkGroupInvocations);
    number("max_compute_workgroup_count_x", limits->maxComputeWorkGroupCount[0]);
    number("max_compute_workgroup_count_y", limits->maxComputeWorkGroupCount[1]);
    number("max_storage_buffer_range_bytes", limits->maxStorageBufferRange);
    number("max_push_constants_bytes", limits->maxPushConstantsSize);
    number("max_memory_allocations", limits->maxMemoryAllocationCount);
    printf("  \"timestamp_period_ns\": %g,\n", limits->timestampPeriod);
    flag("timestamp_compute_and_graphics", limits->timestampComputeAndGraphics);
    // The chains of 1.1, 1.2 and 1.3 are only for devices that know them.
    if (plain.apiVersion >= VK_API_VERSION_1_2 && vkGetPhysicalDeviceProperties2 && vkGetPhysicalDeviceFeatures2) {
        int has13 = plain.apiVersion >= VK_API_VERSION_1_3;
        VkPhysicalDeviceVulkan13Properties p13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES};
        VkPhysicalDeviceVulkan12Properties p12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES,
            .pNext = has13 ? &p13 : NULL};
        VkPhysicalDeviceVulkan11Properties p11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES,
            .pNext = &p12};
        VkPhysicalDeviceProperties2 p2 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &p11};
        vkGetPhysicalDeviceProperties2(device, &p2);
        VkPhysicalDeviceVulkan13Features f13 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES};
        VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
            .pNext = has13 ? &f13 : NULL};
        VkPhysicalDeviceVulkan11Features f11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
            .pNext = &f12};
        VkPhysicalDeviceFeatures2 f2 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f11};
        vkGetPhysicalDeviceFeatures2(device, &f2);
        text("driver", p12.driverName);
        text("driver_info", p12.driverInfo);
        number("subgroup_size", p11.subgroupSize);
        number("subgroup_operations", p11.subgroupSupportedOperations);
        if (has13) {
            number("min_subgroup_size", p13.minSubgroupSize);
            number("max_subgroup_size", p13.maxSubgroupSize);
            number("max_buffer_bytes", p13.maxBufferSize);
            flag("subgroup_size_control", f13.subgroupSizeControl);
            flag("synchronization2", f13.synchronization2);
        }
        number("max_memory_allocation_bytes", p11.maxMemoryAllocationSize);
        flag("shader_denorm_preserve_f32", p12.shaderDenormPreserveFloat32);
        flag("shader_signed_zero_inf_nan_preserve_f32", p12.shaderSignedZeroInfNanPreserveFloat32);
        flag("buffer_device_address", f12.bufferDeviceAddress);
        flag("scalar_block_layout", f12.scalarBlockLayout);
        flag("timeline_semaphore", f12.timelineSemaphore);
        flag("shader_float16", f12.shaderFloat16);
        flag("shader_buffer_int64_atomics", f12.shaderBufferInt64Atomics);
        flag("storage_buffer_16_bit_access", f11.storageBuffer16BitAccess);
        flag("shader_float64", f2.features.shaderFloat64);
        flag("shader_int64", f2.features.shaderInt64);
        flag("shader_int16", f2.features.shaderInt16);
    }
    extensions(instance, device);
    memory(instance, device);
    queues(instance, device);
    // The last one, without a comma.
    printf("  \"driver_version\": %u\n }", plain.driverVersion);
}

int main(void) {
    void *library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(dlerror(), 0);
    get = (PFN_vkGetInstanceProcAddr)dlsym(library, "vkGetInstanceProcAddr");
    if (!get) return fail("libvulkan.so.1 has no vkGetInstanceProcAddr", 0);
    LOAD(NULL, vkCreateInstance);
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkInstance instance;
    VkResult result = vkCreateInstance(&info, NULL, &instance);
    if (result) return fail("no Vulkan driver is found", result);
    LOAD(instance, vkEnumeratePhysicalDevices);
    LOAD(instance, vkDestroyInstance);
    VkPhysicalDevice devices[16];
    uint32_t count = 16;
    result = vkEnumeratePhysicalDevices(instance, &count, devices);
    if (result < 0) return fail("devices cannot be listed", result);
    printf("[\n");
    for (uint32_t i = 0; i < count; i++) {
        if (i) printf(",\n");
        describe(instance, devices[i], i);
    }
    printf("\n]\n");
    vkDestroyInstance(instance, NULL);
    return 0;
}
