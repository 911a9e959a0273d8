#include "compose/loader/environment.hpp"

#include <algorithm>

#include "compose/loader/dotenv.hpp"

namespace compose {
namespace {

constexpr std::string_view file_names[] = {"compose.yaml", "compose.yml", "docker-compose.yml",
                                           "docker-compose.yaml"};
constexpr std::string_view override_names[] = {"compose.override.yml", "compose.override.yaml",
                                               "docker-compose.override.yml",
                                               "docker-compose.override.yaml"};

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw ComposeError({{{file, 0, 0}, "", what}});
}

std::string value_or_nothing(const StringMap& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

Strings split(std::string_view text, std::string_view separator) {
  Strings parts;
  while (!text.empty()) {
    const std::size_t end = text.find(separator);
    if (end != 0) parts.emplace_back(text.substr(0, end));
    text = end == text.npos ? std::string_view{} : text.substr(end + separator.size());
  }
  return parts;
}

template <std::size_t n>
std::string first_of(const std::string& folder, const std::string_view (&names)[n]) {
  for (const std::string_view name : names) {
    const std::string path = clean(folder + "/" + std::string(name));
    if (exists(path)) return path;
  }
  return "";
}

Strings found_from(const std::string& start) {
  for (std::string folder = clean(start);; folder = folder_of(folder)) {
    const std::string file = first_of(folder, file_names);
    if (!file.empty()) {
      const std::string over = first_of(folder, override_names);
      return over.empty() ? Strings{file} : Strings{file, over};
    }
    if (folder == "/" || folder.empty())
      refuse(start, "no compose.yaml here or above; name a file with -f");
  }
}

Strings absolutes(const Strings& paths, PathBase base) {
  Strings all;
  for (const std::string& path : paths) all.push_back(absolute(path, base));
  return all;
}

// Those of the caller, or of COMPOSE_FILE.
Strings named_files(const LoadRequest& request, const StringMap& environment) {
  if (!request.files.empty()) return request.files;
  const std::string separator = value_or_nothing(environment, "COMPOSE_PATH_SEPARATOR");
  return split(value_or_nothing(environment, "COMPOSE_FILE"), separator.empty() ? ":" : separator);
}

Strings env_files_of(const LoadRequest& request, const std::string& folder) {
  const std::string home = value_or_nothing(request.environment, "HOME");
  const PathBase base{request.working_dir, home};
  if (!request.environment_files.empty()) return absolutes(request.environment_files, base);
  const Strings named = comma_list(value_or_nothing(request.environment, "COMPOSE_ENV_FILES"));
  if (!named.empty()) return absolutes(named, base);
  const std::string file = clean(folder + "/.env");
  return exists(file) && !is_folder(file) ? Strings{file} : Strings{};
}

std::string normalised(std::string_view name) {
  std::string good;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter || (!good.empty() && (c == '-' || c == '_'))) good += c;
  }
  return good;
}

std::string as_given(const std::string& name, const std::string& from) {
  if (normalised(name) != name)
    refuse("", from + ": `" + name +
                   "` is no project name; it has small letters, digits, `-` and `_`, and begins "
                   "with a letter or digit");
  return name;
}

}  // namespace

Lookup lookup_in(const StringMap& environment) {
  return [&environment](std::string_view name) -> std::optional<std::string> {
    const auto found = environment.find(std::string(name));
    if (found == environment.end()) return std::nullopt;
    return found->second;
  };
}

Strings comma_list(std::string_view text) { return split(text, ","); }

void add_env_files(const Strings& files, StringMap& environment, Sources& sources,
                   Findings& findings) {
  StringMap read;
  for (const std::string& file : files) {
    const Source source = sources.read(file);
    const Lookup lookup = [&](std::string_view name) -> std::optional<std::string> {
      const std::string key(name);
      if (const auto outer = environment.find(key); outer != environment.end())
        return outer->second;
      if (const auto here = read.find(key); here != read.end()) return here->second;
      return std::nullopt;
    };
    for (auto& [name, value] : read_dotenv({.source = source, .lookup = lookup}, findings))
      read[name] = std::move(value);
  }
  environment.insert(read.begin(), read.end());
}

Surroundings look_around(const LoadRequest& request, Sources& sources, Findings& findings) {
  Surroundings around{.files = {},
                      .folder = {},
                      .environment_files = {},
                      .environment = request.environment,
                      .home = value_or_nothing(request.environment, "HOME")};
  const PathBase base{request.working_dir, around.home};
  const std::string start = request.project_dir.empty() ? clean(request.working_dir)
                                                        : absolute(request.project_dir, base);
  if (request.files.empty()) {
    StringMap first = request.environment;
    add_env_files(env_files_of(request, start), first, sources, findings);
    around.files = absolutes(named_files(request, first), base);
    if (around.files.empty()) around.files = found_from(start);
  } else {
    around.files = absolutes(request.files, base);
  }
  around.folder = request.project_dir.empty() ? folder_of(around.files.front()) : start;
  around.environment_files = env_files_of(request, around.folder);
  add_env_files(around.environment_files, around.environment, sources, findings);
  return around;
}

std::string project_name(const NameSources& sources) {
  if (!sources.request.project_name.empty()) return as_given(sources.request.project_name, "-p");
  const std::string variable = value_or_nothing(sources.around.environment, "COMPOSE_PROJECT_NAME");
  if (!variable.empty()) return as_given(variable, "COMPOSE_PROJECT_NAME");
  const std::string& folder = sources.around.folder;
  const std::string name =
      normalised(sources.in_file.empty() ? folder.substr(folder.rfind('/') + 1) : sources.in_file);
  if (name.empty())
    refuse(sources.around.files.front(),
           "the project has no name: the folder's has no letter or digit; give -p or `name:`");
  return name;
}

}  // namespace compose
