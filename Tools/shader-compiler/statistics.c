// What a GPU's compiler makes of the committed shaders: registers, shared memory, spills. No GPU is needed: Mesa's RADV
// compiles for a chip that is not there (RADV_FORCE_FAMILY; Tools/shader-statistics sets it).
//
//     statistics SHADER.spv …
//
// Prints a line a shader and tile. Fails where registers spill, where memory stands in for them (loops over registers
// that were not unrolled), or where shared memory exceeds the 32 KiB that every device has.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

enum { shared_bytes = 32768, most_statistics = 64 };

static void check(VkResult result, const char *what) {
    if (result == VK_SUCCESS) return;
    fprintf(stderr, "statistics: %s: VkResult %d\n", what, result);
    exit(2);
}

static uint32_t *contents(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        fprintf(stderr, "statistics: cannot read %s\n", path);
        exit(2);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    uint32_t *code = malloc(*size);
    if (!code || fread(code, 1, *size, file) != *size) {
        fprintf(stderr, "statistics: cannot read %s\n", path);
        exit(2);
    }
    fclose(file);
    return code;
}

static VkDevice make_device(void) {
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_2};
    const VkInstanceCreateInfo instance_info = {
        .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    VkInstance instance;
    check(vkCreateInstance(&instance_info, NULL, &instance), "vkCreateInstance");
    uint32_t count = 1;
    VkPhysicalDevice physical;
    const VkResult found = vkEnumeratePhysicalDevices(instance, &count, &physical);
    if (count == 0) check(found == VK_SUCCESS ? VK_ERROR_INCOMPATIBLE_DRIVER : found, "no device: is Mesa's RADV there?");
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(physical, &properties);
    printf("%s\n", properties.deviceName);
    const float priority = 1;
    const VkDeviceQueueCreateInfo queue = {
        .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
    VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR executable = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR,
        .pipelineExecutableInfo = VK_TRUE};
    VkPhysicalDeviceVulkan12Features f12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .pNext = &executable, .bufferDeviceAddress = VK_TRUE, .scalarBlockLayout = VK_TRUE};
    const VkPhysicalDeviceFeatures2 features = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &f12,
        .features = {.shaderInt64 = VK_TRUE, .shaderFloat64 = VK_TRUE}};
    const char *extension = VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME;
    const VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &features,
        .queueCreateInfoCount = 1, .pQueueCreateInfos = &queue, .enabledExtensionCount = 1,
        .ppEnabledExtensionNames = &extension};
    VkDevice device;
    check(vkCreateDevice(physical, &info, NULL, &device), "vkCreateDevice");
    return device;
}

static uint64_t statistic(const VkPipelineExecutableStatisticKHR *all, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0) return all[i].value.u64;
    fprintf(stderr, "statistics: the driver does not tell \"%s\"\n", name);
    exit(2);
}

int main(int argument_count, char **arguments) {
    const VkDevice device = make_device();
    const PFN_vkGetPipelineExecutableStatisticsKHR statistics =
        (PFN_vkGetPipelineExecutableStatisticsKHR)vkGetDeviceProcAddr(device, "vkGetPipelineExecutableStatisticsKHR");
    const VkPushConstantRange range = {.stageFlags = VK_SHADER_STAGE_COMPUTE_BIT, .size = 24};
    const VkPipelineLayoutCreateInfo layout_info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
        .pushConstantRangeCount = 1, .pPushConstantRanges = &range};
    VkPipelineLayout layout;
    check(vkCreatePipelineLayout(device, &layout_info, NULL, &layout), "vkCreatePipelineLayout");
    int failures = 0;
    printf("%-18s %4s %9s %8s %6s %8s %5s\n", "shader", "tile", "registers", "spilled", "shared", "scratch", "waves");
    for (int i = 1; i < argument_count; i++) {
        size_t size;
        uint32_t *code = contents(arguments[i], &size);
        const VkShaderModuleCreateInfo module_info = {
            .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = size, .pCode = code};
        VkShaderModule module;
        check(vkCreateShaderModule(device, &module_info, NULL, &module), arguments[i]);
        for (uint32_t factor = 1; factor <= 2; factor++) {
            const VkSpecializationMapEntry entry = {0, 0, 4};
            const VkSpecializationInfo special = {1, &entry, 4, &factor};
            const VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                .flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR,
                .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                    .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main",
                    .pSpecializationInfo = &special},
                .layout = layout};
            VkPipeline pipeline;
            check(vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &info, NULL, &pipeline), arguments[i]);
            const VkPipelineExecutableInfoKHR of = {
                .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR, .pipeline = pipeline};
            VkPipelineExecutableStatisticKHR all[most_statistics];
            for (int j = 0; j < most_statistics; j++)
                all[j] = (VkPipelineExecutableStatisticKHR){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR};
            uint32_t count = most_statistics;
            check(statistics(device, &of, &count, all), "statistics");
            const uint64_t registers = statistic(all, count, "VGPRs"), spilled = statistic(all, count, "Spilled VGPRs"),
                           shared = statistic(all, count, "LDS size"), scratch = statistic(all, count, "Scratch size"),
                           waves = statistic(all, count, "Subgroups per SIMD");
            const char *name = strrchr(arguments[i], '/');
            name = name ? name + 1 : arguments[i];
            printf("%-18.*s %4u %9llu %8llu %6llu %8llu %5llu\n", (int)(strlen(name) - 4), name, 64 * factor,
                (unsigned long long)registers, (unsigned long long)spilled, (unsigned long long)shared,
                (unsigned long long)scratch, (unsigned long long)waves);
            if (spilled > 0 || scratch > 0 || shared > shared_bytes) {
                printf("^ spills, or more shared memory than every device has\n");
                failures++;
            }
            vkDestroyPipeline(device, pipeline, NULL);
        }
        vkDestroyShaderModule(device, module, NULL);
        free(code);
    }
    return failures > 0;
}
