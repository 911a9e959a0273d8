#include "campaign/config/secret_names.hpp"

#include <gtest/gtest.h>

#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

TEST(SecretNames, AWholeWordMakesOne) {
  for (const char* name : {"HF_TOKEN", "api-key", "KEY", "db_password", "AWS_SECRET_ACCESS_KEY"})
    EXPECT_TRUE(is_secret(name, "abc")) << name;
  for (const char* name : {"TOKENIZERS_PARALLELISM", "MAX_TOKENS", "KEYBOARD", "COMPASS", ""})
    EXPECT_FALSE(is_secret(name, "abc")) << name;
}

TEST(SecretNames, NothingAndNumbersAreNone) {
  for (const char* value : {"", "12", "0.5"}) EXPECT_FALSE(is_secret("TOKEN", value)) << value;
}

TEST(SecretNames, AnEnvironmentOfInferenceProgramsIsAccepted) {
  const Folder folder;
  const Campaign campaign =
      load(folder,
           "name: x\naxes: {a: [1]}\nrunner: {type: local, command: a, "
           "env: {TOKENIZERS_PARALLELISM: \"false\", SPECIAL_TOKENS: keep}}\n");
  EXPECT_EQ(campaign.runner->env.at("TOKENIZERS_PARALLELISM"), "false");
}

}  // namespace
}  // namespace campaign
