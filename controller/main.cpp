#include <cerrno>
#include <cstdio>
#include <system_error>

#include "campaign/config/loader.hpp"
#include "campaign/state/journal.hpp"
#include "compose/loader/diagnostic.hpp"
#include "container/engine.hpp"
#include "controller/cli/commands.hpp"
#include "controller/errors.hpp"

namespace {

constexpr int internal_error = 70;

int fail(int code, const char* what) {
  std::fflush(stdout);
  std::fprintf(stderr, "campaignctl: %s\n", what);
  return code;
}

int fail(controller::ExitCode code, const char* what) { return fail(static_cast<int>(code), what); }

}  // namespace

// The only place that turns exceptions into exit codes (docs/commands.md).
int main(int argc, char** argv) {
  using controller::ExitCode;
  try {
    return controller::cli::command_line({argv + (argc > 0 ? 1 : 0), argv + argc});
  } catch (const controller::CommandError& error) {
    return fail(error.code, error.what());
  } catch (const campaign::ConfigError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(ExitCode::usage);
  } catch (const compose::ComposeError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return static_cast<int>(ExitCode::usage);
  } catch (const container::EngineError& error) {
    return fail(ExitCode::environment, error.what());
  } catch (const campaign::JournalError& error) {
    return fail(ExitCode::environment, error.what());
  } catch (const std::system_error& error) {
    return fail(ExitCode::environment, error.what());
  } catch (const std::exception& error) {
    return fail(internal_error, error.what());
  } catch (...) {
    return fail(internal_error, "an unknown error; please report it");
  }
}
