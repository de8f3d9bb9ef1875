// Compiles Shaders/*.comp to optimised, validated SPIR-V, and writes the C table that embeds it.
//
//     compile SHADERS OUTPUT      (Tools/shaders builds and runs it)
//
// OUTPUT/spirv/NAME.spv holds the code; OUTPUT/table.inc embeds it and says of each shader how many members its
// arguments have and where the last of them lies, by which the library checks that both sides mean the same structure.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <shaderc/shaderc.hpp>
#include <spirv-tools/libspirv.hpp>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void write(const fs::path& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!file) throw std::runtime_error("cannot write " + path.string());
}

// #include "x.glsl" finds Shaders/common/x.glsl.
class Includer : public shaderc::CompileOptions::IncluderInterface {
  public:
    explicit Includer(fs::path folder) : folder_(std::move(folder)) {}

    shaderc_include_result* GetInclude(const char* wanted, shaderc_include_type, const char*, size_t) override {
        auto* found = new Found;
        try {
            found->name = (folder_ / wanted).string();
            found->text = read(found->name);
        } catch (const std::exception& error) {
            found->name.clear();
            found->text = error.what();
        }
        found->result = {found->name.data(), found->name.size(), found->text.data(), found->text.size(), found};
        return &found->result;
    }

    void ReleaseInclude(shaderc_include_result* result) override { delete static_cast<Found*>(result->user_data); }

  private:
    struct Found {
        std::string name, text;
        shaderc_include_result result;
    };
    fs::path folder_;
};

std::vector<uint32_t> compile(const fs::path& source, const fs::path& common, bool optimised) {
    shaderc::CompileOptions options;
    options.SetTargetEnvironment(shaderc_target_env_vulkan, shaderc_env_version_vulkan_1_2);
    options.SetTargetSpirv(shaderc_spirv_version_1_5);
    options.SetWarningsAsErrors();
    options.SetIncluder(std::make_unique<Includer>(common));
    options.SetOptimizationLevel(optimised ? shaderc_optimization_level_performance : shaderc_optimization_level_zero);
    shaderc::Compiler compiler;
    auto result = compiler.CompileGlslToSpv(
        read(source), shaderc_compute_shader, source.filename().string().c_str(), options);
    if (result.GetCompilationStatus() != shaderc_compilation_status_success)
        throw std::runtime_error(result.GetErrorMessage());
    return {result.begin(), result.end()};
}

void validate(const std::vector<uint32_t>& code, const std::string& name) {
    spvtools::SpirvTools tools(SPV_ENV_VULKAN_1_2);
    std::string message;
    tools.SetMessageConsumer([&](spv_message_level_t, const char*, const spv_position_t& place, const char* text) {
        message += name + ", word " + std::to_string(place.index) + ": " + text + "\n";
    });
    spvtools::ValidatorOptions options;
    options.SetScalarBlockLayout(true);
    if (!tools.Validate(code.data(), code.size(), options)) throw std::runtime_error(message);
}

struct Layout {
    uint32_t members = 0, lastOffset = 0;
};

// The structure "Args" of an unoptimised module, which still has its names.
Layout argumentLayout(const std::vector<uint32_t>& code, const std::string& name) {
    constexpr uint32_t opName = 5, opMemberDecorate = 72, decorationOffset = 35;
    std::map<uint32_t, Layout> layouts;
    std::vector<uint32_t> named;
    for (size_t at = 5; at < code.size(); at += std::max<uint32_t>(code[at] >> 16, 1)) {
        const uint32_t operation = code[at] & 0xFFFF;
        if (operation == opName && std::string(reinterpret_cast<const char*>(&code[at + 2])) == "Args")
            named.push_back(code[at + 1]);
        if (operation == opMemberDecorate && code[at + 3] == decorationOffset) {
            Layout& layout = layouts[code[at + 1]];
            layout.members = std::max(layout.members, code[at + 2] + 1);
            layout.lastOffset = std::max(layout.lastOffset, code[at + 4]);
        }
    }
    for (uint32_t id : named)
        if (layouts.count(id)) return layouts[id];
    throw std::runtime_error(name + ": no structure named Args");
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 3) {
        std::cerr << "usage: compile SHADERS OUTPUT\n";
        return 2;
    }
    try {
        const fs::path shaders = arguments[1], output = arguments[2];
        std::vector<fs::path> sources;
        for (const auto& entry : fs::directory_iterator(shaders))
            if (entry.path().extension() == ".comp") sources.push_back(entry.path());
        std::sort(sources.begin(), sources.end());
        fs::remove_all(output / "spirv");
        fs::create_directories(output / "spirv");
        std::string embedded = "// Written by `make shaders`.\n", table = "static const sl_shader shaders[] = {\n";
        for (const auto& source : sources) {
            const std::string name = source.stem().string();
            const Layout layout = argumentLayout(compile(source, shaders / "common", false), name);
            const auto code = compile(source, shaders / "common", true);
            validate(code, name);
            write(output / "spirv" / (name + ".spv"),
                  {reinterpret_cast<const char*>(code.data()), code.size() * sizeof(uint32_t)});
            embedded += "_Alignas(4) static const unsigned char " + name + "_code[] = {\n#embed \"spirv/" + name +
                        ".spv\"\n};\n";
            table += "    {\"" + name + "\", (const uint32_t *)" + name + "_code, sizeof " + name + "_code, " +
                     std::to_string(layout.members) + ", " + std::to_string(layout.lastOffset) + "},\n";
        }
        write(output / "table.inc", embedded + table + "};\n");
        std::cout << sources.size() << " shaders\n";
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
    return 0;
}
