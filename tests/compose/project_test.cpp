// Several files, profiles, names, warnings, and the printed form.
#include "tests/compose/compose_folder.hpp"

namespace compose {
namespace {

TEST(ComposeProject, FilesAreLookedForUpwardsWithTheirOverride) {
  const ComposeFolder folder;
  folder.write("docker-compose.yml", "services: {a: {image: old}}\n");
  folder.write("compose.yaml", "services: {a: {image: x}}\n");
  folder.write("compose.override.yaml", "services: {a: {command: [b]}}\n");
  folder.write("inner/deeper/.keep", "");
  LoadRequest request = folder.request();
  request.working_dir = folder / "inner/deeper";
  const Project project = load_project(request).project;
  EXPECT_EQ(project.services.at("a").image, "x");
  EXPECT_EQ(project.services.at("a").command, Strings{"b"});
  EXPECT_EQ(project.working_dir, folder.path());
  EXPECT_EQ(project.name, "project");
}

TEST(ComposeProject, NameIsOfTheFlagThenTheVariableThenTheFileThenTheFolder) {
  const ComposeFolder folder;
  folder.write("compose.yaml", "name: From_File!\nservices: {a: {image: x}}\n");
  LoadRequest request = folder.request();
  EXPECT_EQ(load_project(request).project.name, "from_file");
  request.environment["COMPOSE_PROJECT_NAME"] = "variable";
  EXPECT_EQ(load_project(request).project.name, "variable");
  request.project_name = "flag";
  EXPECT_EQ(load_project(request).project.name, "flag");
  EXPECT_EQ(load_project(request).project.networks.at("default").name, "flag_default");
}

TEST(ComposeProject, ExternalResourcesKeepTheirNames) {
  const Project project = loaded(
      "services: {a: {image: x, networks: [n], volumes: ['vol:/v']}}\n"
      "networks: {n: {external: {name: theirs}}}\nvolumes: {vol: {external: true}}\n");
  EXPECT_TRUE(project.networks.at("n").external);
  EXPECT_EQ(project.networks.at("n").name, "theirs");
  EXPECT_EQ(project.volumes.at("vol").name, "vol");
}

TEST(ComposeProject, NamedServicesBringTheirDependenciesAndProfiles) {
  const ComposeFolder folder;
  folder.write("compose.yaml",
               "services: {tool: {image: x, profiles: [t], depends_on: [db]}, db: {image: x}, "
               "web: {image: x}}\n");
  LoadRequest request = folder.request();
  request.services = {"tool"};
  const Project project = load_project(request).project;
  EXPECT_EQ(project.services.size(), 2u);
  EXPECT_TRUE(project.services.contains("tool") && project.services.contains("db"));
  EXPECT_EQ(project.unnamed_services, Strings{"web"});
}

TEST(ComposeProject, DisabledServiceNeedsNoFileOfItsEnvironment) {
  const Project project =
      loaded("services: {a: {image: x}, b: {image: x, profiles: [p], env_file: none.env}}\n");
  EXPECT_EQ(project.services.size(), 1u);
}

TEST(ComposeProject, DependencyThatIsNotRequiredMayBeOff) {
  const Project project = loaded(
      "services: {a: {image: x, depends_on: {b: {condition: service_started, required: false}}}, "
      "b: {image: x, profiles: [p]}}\n");
  EXPECT_TRUE(project.services.at("a").depends_on.empty());
}

Strings warnings_of(const std::string& text) {
  const ComposeFolder folder;
  folder.write("compose.yaml", text);
  return load_project(folder.request()).warnings;
}

TEST(ComposeProject, WhatHasNoEffectIsWarnedOfOnce) {
  EXPECT_EQ(
      warnings_of("services: {a: {image: x, deploy: {mode: global}}}\n"),
      Strings{"compose.yaml:1:35: services.a.deploy.mode: ignored: only a swarm does this; it "
              "has no effect here"});
  EXPECT_EQ(warnings_of("services: {a: {image: 'x$A$A', command: 'b && c'}}\n"),
            (Strings{"the variable A is not set, \"\" is taken",
                     "compose.yaml:1:41: services.a.command: the command ends before `&& c`: no "
                     "shell reads it; write [sh, -c, \"...\"]"}));
  EXPECT_EQ(warnings_of("services: {a: {image: x}}\n"), Strings{});
}

std::string printed(const std::string& text, Format format) {
  const ComposeFolder folder;
  folder.write("compose.yaml", text);
  LoadRequest request = folder.request();
  request.format = format;
  return load_project(request).canonical;
}

constexpr char small[] =
    "services: {b: {image: x, command: ['a$$b', 'yes', '1', 'two words', '-x']}, a: {image: y, "
    "tty: "
    "false, labels: {l: ''}}}\nx-note: [{k: v}, []]\n";

TEST(ComposeProject, CanonicalYamlIsExact) {
  EXPECT_EQ(printed(small, Format::yaml), R"(name: project
services:
  a:
    image: "y"
    labels:
      l: ""
    networks:
      default: null
  b:
    command:
      - "a$$b"
      - "yes"
      - "1"
      - "two words"
      - "-x"
    image: x
    networks:
      default: null
networks:
  default:
    name: project_default
x-note:
  - k: v
  - []
)");
}

TEST(ComposeProject, WhatIsPrintedReadsBackToTheSame) {
  const ComposeFolder folder;
  std::filesystem::copy(TEST_DATA_DIR "/compose/config/keys/compose.yaml", folder / "compose.yaml");
  LoadRequest request = folder.request();
  for (const Format format : {Format::yaml, Format::json}) {
    request.format = format;
    const std::string once = load_project(request).canonical;
    folder.write("again.yaml", once);
    LoadRequest again = request;
    again.files = {"again.yaml"};
    EXPECT_EQ(load_project(again).canonical, once);
  }
}

}  // namespace
}  // namespace compose
