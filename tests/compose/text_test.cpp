// Scalars, units, command lines, variables, env files: text to values.
#include <gtest/gtest.h>

#include "compose/loader/dotenv.hpp"
#include "compose/loader/interpolate.hpp"
#include "compose/loader/scalars.hpp"
#include "compose/loader/units.hpp"
#include "compose/loader/words.hpp"
#include "compose/model.hpp"

namespace compose {
namespace {

std::string as_text(std::string_view plain) { return resolved(plain, {}).text; }
YamlNode::Kind kind(std::string_view plain) { return resolved(plain, {}).kind; }

TEST(ComposeScalars, NumbersAreWhatYaml11MakesOfThem) {
  EXPECT_EQ(as_text("0755"), "493");
  EXPECT_EQ(as_text("0o755"), "493");
  EXPECT_EQ(as_text("0x1F"), "31");
  EXPECT_EQ(as_text("0b11"), "3");
  EXPECT_EQ(as_text("1_000"), "1000");
  EXPECT_EQ(as_text("08"), "8");
  EXPECT_EQ(as_text("1e3"), "1000");
  EXPECT_EQ(as_text("1.0"), "1");
  EXPECT_EQ(as_text("1.50"), "1.5");
  EXPECT_EQ(as_text("1e21"), "1e+21");
  EXPECT_EQ(as_text("0.00001"), "1e-05");
  EXPECT_EQ(as_text("+5"), "5");
  EXPECT_EQ(as_text("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(as_text("12345678901234567890"), "12345678901234567890");
  EXPECT_EQ(kind("1e3"), YamlNode::Kind::real);
  EXPECT_EQ(kind("0755"), YamlNode::Kind::integer);
}

TEST(ComposeScalars, OnlyTrueAndFalseAreBooleans) {
  for (const char* word : {"true", "True", "TRUE", "false"})
    EXPECT_EQ(kind(word), YamlNode::Kind::boolean) << word;
  for (const char* word : {"yes", "no", "on", "off", "y", "tRue"})
    EXPECT_EQ(kind(word), YamlNode::Kind::text) << word;
}

TEST(ComposeScalars, WhatOnlyLooksLikeANumberIsText) {
  for (const char* word :
       {"1.2.3", "22:22", "1e", "0x", "-", "+", ".", "1-2", "0xZZ", "2001-01-01"})
    EXPECT_EQ(kind(word), YamlNode::Kind::text) << word;
  for (const char* word : {"", "~", "null", "Null", "NULL"})
    EXPECT_EQ(kind(word), YamlNode::Kind::null) << word;
}

TEST(ComposeUnits, Durations) {
  EXPECT_EQ(duration_ns("1m30s"), 90'000'000'000);
  EXPECT_EQ(duration_ns("500ms"), 500'000'000);
  EXPECT_EQ(duration_ns("1.5h"), 5'400'000'000'000);
  EXPECT_EQ(duration_ns("1d"), 86'400'000'000'000);
  EXPECT_EQ(duration_ns("0"), 0);
  for (const char* text : {"", "10", "s", "1y", "1 s", "1.2.3s", "1000000w", "-"})
    EXPECT_EQ(duration_ns(text), std::nullopt) << text;
}

TEST(ComposeUnits, DurationsArePrintedAsGoDoes) {
  EXPECT_EQ(duration_text(90'000'000'000), "1m30s");
  EXPECT_EQ(duration_text(7'200'000'000'000), "2h0m0s");
  EXPECT_EQ(duration_text(1'500'000'000), "1.5s");
  EXPECT_EQ(duration_text(500'000'000), "500ms");
  EXPECT_EQ(duration_text(10'000), "10\u00b5s");
  EXPECT_EQ(duration_text(7), "7ns");
  EXPECT_EQ(duration_text(0), "0s");
  EXPECT_EQ(duration_text(-1'000'000'000), "-1s");
}

TEST(ComposeUnits, SizesAreBinaryForEveryUnit) {
  EXPECT_EQ(byte_count("1gb"), 1073741824);
  EXPECT_EQ(byte_count("1.5GiB"), 1610612736);
  EXPECT_EQ(byte_count("64m"), 67108864);
  EXPECT_EQ(byte_count("100b"), 100);
  EXPECT_EQ(byte_count("100"), 100);
  EXPECT_EQ(byte_count("1 kb"), 1024);
  for (const char* text : {"", "m", "5x", "-5m", "1kbb", "1e30g"})
    EXPECT_EQ(byte_count(text), std::nullopt) << text;
}

TEST(ComposeWords, QuotesAndBackslashes) {
  EXPECT_EQ(split_words("a 'b c' \"d e\" f\\ g")->words, (Strings{"a", "b c", "d e", "f g"}));
  EXPECT_EQ(split_words("a \"q\\\"r\" 'b\\c' \"\" ''")->words,
            (Strings{"a", "q\"r", "b\\c", "", ""}));
  EXPECT_EQ(split_words(" \t ")->words, Strings{});
  EXPECT_EQ(split_words("a # b")->words, (Strings{"a", "#", "b"}));
  EXPECT_EQ(split_words("a $(b c) `d e`")->words, (Strings{"a", "$(b c)", "`d e`"}));
}

TEST(ComposeWords, TheLineEndsWhereAShellWouldBegin) {
  const auto words = split_words("echo one && echo two");
  EXPECT_EQ(words->words, (Strings{"echo", "one"}));
  EXPECT_EQ(words->cut, "&& echo two");
  EXPECT_EQ(split_words("a;b")->words, Strings{"a"});
  EXPECT_EQ(split_words("a 2>b")->words, Strings{"a"});
  EXPECT_EQ(split_words("sh -c 'a; b'")->cut, "");
}

TEST(ComposeWords, WhatIsNotClosedIsNoLine) {
  for (const char* line : {"a 'b", "a \"b", "a \\", "a (b)", "a $(b", "a `b"})
    EXPECT_EQ(split_words(line), std::nullopt) << line;
}

struct Filled {
  std::string text;
  Strings unset;
};

Filled filled(std::string_view text) {
  const Lookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "FOO") return "first";
    if (name == "BAR") return "";
    return std::nullopt;
  };
  Filled filled;
  filled.text = interpolate(text, lookup, filled.unset);
  return filled;
}

std::string refusal(std::string_view text) {
  try {
    return "gave " + filled(text).text;
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

TEST(ComposeInterpolate, TableOfTheOperators) {
  const std::pair<const char*, const char*> table[] = {{"$FOO-bar", "first-bar"},
                                                       {"${BAR:-d}", "d"},
                                                       {"${BAR-d}", ""},
                                                       {"${NOPE:-${FOO}x}", "firstx"},
                                                       {"${FOO:+alt}", "alt"},
                                                       {"${BAR:+alt}", ""},
                                                       {"${BAR+alt}", "alt"},
                                                       {"${NOPE+alt}", ""},
                                                       {"${NOPE:-a:-b}", "a:-b"},
                                                       {"${BAR?e}", ""},
                                                       {"${FOO:?e}", "first"},
                                                       {"$$FOO", "$FOO"},
                                                       {"$$$$", "$$"},
                                                       {"$ x", "$ x"},
                                                       {"$1", "$1"},
                                                       {"$}", "$}"},
                                                       {"${FOO}${FOO}", "firstfirst"},
                                                       {"a$", "a$"},
                                                       {"${NOPE:-${ALSO:-${FOO}}}", "first"},
                                                       {"${NOPE:-$$}", "$"}};
  for (const auto& [text, expected] : table) EXPECT_EQ(filled(text).text, expected) << text;
}

TEST(ComposeInterpolate, OnlyWhatIsUsedIsLookedAt) {
  EXPECT_EQ(filled("${BAR:+${NOPE}}").unset, Strings{});
  EXPECT_EQ(filled("${FOO:-${NOPE:?never}}").text, "first");
  EXPECT_EQ(filled("${NOPE:-$ALSO}$ALSO").unset, (Strings{"ALSO", "ALSO"}));
}

TEST(ComposeInterpolate, WhatIsNoVariableIsRefused) {
  for (const char* text : {"${", "${}", "${ x}", "${x }", "${x!}", "${1}", "${FOO:}", "a${b"})
    EXPECT_NE(refusal(text).find("is no variable"), std::string::npos) << text;
  EXPECT_EQ(refusal("${NOPE:?give ${FOO}}"), "the variable NOPE must be set: give first");
  EXPECT_EQ(refusal("${NOPE?}"), "the variable NOPE must be set");
  std::string deep;
  for (int i = 0; i < 40; ++i) deep += "${N:-";
  EXPECT_NE(refusal(deep + std::string(40, '}')).find("deeper than 32"), std::string::npos);
}

struct Env {
  std::map<std::string, std::string> values;
  bool clean = true;
};

Env env(const std::string& text, bool raw = false) {
  Sources sources("");
  const Source source{.name = sources.name("x.env"), .text = text};
  const Lookup lookup = [](std::string_view name) {
    return name == "OS" ? std::optional<std::string>("os") : std::nullopt;
  };
  const std::map<std::string, std::string> earlier = {{"BEFORE", "b"}, {"OS", "hidden"}};
  Findings findings;
  Env env{.values = read_dotenv(
              {.source = source, .lookup = lookup, .earlier = earlier, .raw = raw}, findings)};
  env.clean = findings.clean();
  return env;
}

std::string one(const std::string& text) {
  const Env read = env(text);
  const auto found = read.values.find("A");
  return found == read.values.end() ? "nothing" : found->second;
}

TEST(ComposeDotenv, Values) {
  EXPECT_EQ(one("A=1"), "1");
  EXPECT_EQ(one("export A = 1 "), "1");
  EXPECT_EQ(one("A: colon"), "colon");
  EXPECT_EQ(one("A=b # comment"), "b");
  EXPECT_EQ(one("A=b#c"), "b#c");
  EXPECT_EQ(one("A=#c"), "#c");
  EXPECT_EQ(one("A='raw $OS \\n' # c"), "raw $OS \\n");
  EXPECT_EQ(one("A='it\\'s'"), "it's");
  EXPECT_EQ(one("A=\"x\\ty $OS \\$OS \\\\ \\q\""), "x\ty os $OS \\ \\q");
  EXPECT_EQ(one("A=\"two\nlines\""), "two\nlines");
  EXPECT_EQ(one("A=\n"), "");
  EXPECT_EQ(one("A\nB=1"), "nothing");
  EXPECT_EQ(one("A=1\r\nB=2\r\n"), "1");
  EXPECT_EQ(one("\xEF\xBB\xBF# c\n\nA=${B:-d}"), "d");
  EXPECT_EQ(env("OS").values.at("OS"), "os");
}

TEST(ComposeDotenv, TheCallerThenThisFileThenEarlierOnes) {
  const Env read = env("OS=mine\nBEFORE=later\nA=$OS-$BEFORE\nX.Y=1\n");
  EXPECT_EQ(read.values.at("A"), "os-later");
  EXPECT_EQ(read.values.at("X.Y"), "1");
  EXPECT_EQ(env("A=$BEFORE").values.at("A"), "b");
}

TEST(ComposeDotenv, RawTakesLinesAsTheyAre) {
  EXPECT_EQ(env("A=\"$OS\" # x", true).values.at("A"), "\"$OS\" # x");
}

TEST(ComposeDotenv, WhatIsNoLineIsFoundAndTheRestIsRead) {
  const Env read = env("A B=1\nC=2\n=3\nD=\"open");
  EXPECT_FALSE(read.clean);
  EXPECT_EQ(read.values.at("C"), "2");
  EXPECT_FALSE(env("A=${").clean);
}

}  // namespace
}  // namespace compose
