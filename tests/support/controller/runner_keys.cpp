#include "tests/support/controller/runner_keys.hpp"

#include <sstream>

#include "container/labels.hpp"

namespace controller::test {

void RunnerKeys::SetUp() {
  RealEngine::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  run_.set_environment("DOCKER_HOST", endpoint_.text());
}

void RunnerKeys::TearDown() {
  if (IsSkipped() || HasFatalFailure()) return RealEngine::TearDown();
  const auto left = loop().run(engine().list({{container::label::lock, run_.lock()}}));
  for (const auto& each : left) {
    ADD_FAILURE() << each.name << " is left on the engine";
    loop().run(engine().remove(each.id, true));
  }
  RealEngine::TearDown();
}

std::string RunnerKeys::campaign(const Parts& parts) {
  std::string text =
      "name: k\ngpus: none\nio: {min_free: 0}\nexperiments: [{name: one}]\n" + parts.top;
  text += "runner:\n  image: " + std::string(container::test::probe_image) + "\n  pull: never\n";
  std::istringstream keys(parts.keys), script(parts.script);
  for (std::string line; std::getline(keys, line);) text += "  " + line + "\n";
  if (parts.script.empty()) return text;
  text += "  shell: true\n  command: |\n";
  for (std::string line; std::getline(script, line);) text += "    " + line + "\n";
  return text;
}

std::string RunnerKeys::output_of(const Parts& parts) {
  const Ended ended = run_.up(campaign(parts));
  EXPECT_EQ(ended.code, 0) << ended.output << run_.of_attempt("one.c01.a1", "stderr.log");
  return run_.result("one.c01", "stdout.log");
}

nlohmann::json RunnerKeys::inspected() {
  const auto all = loop().run(engine().list({{container::label::lock, run_.lock()}}));
  if (all.size() != 1)
    throw std::runtime_error(std::to_string(all.size()) + " containers are there, not one");
  const std::string command = "docker -H " + endpoint_.text() + " inspect " + all.front().id;
  std::string text;
  FILE* pipe = popen(command.c_str(), "r");
  for (int c = 0; pipe && (c = fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  if (pipe) pclose(pipe);
  return nlohmann::json::parse(text).at(0);
}

}  // namespace controller::test
