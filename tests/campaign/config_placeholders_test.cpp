#include "campaign/config/placeholders.hpp"

#include <gtest/gtest.h>

#include "campaign/config/loader.hpp"
#include "campaign/config/words.hpp"

namespace campaign {
namespace {

const Value& parameters() {
  static const Value value = from_json(
      R"({"model":"gpt2","tp":2,"rate":1.50,"eager":false,"none":null,"a.b":"whole","n":{"x":[1,2]},"trap":"{results}"})");
  return value;
}

const Value& vars() {
  static const Value value = from_json(R"({"data":"/srv","n":7})");
  return value;
}

Placeholders filled() {
  return {.parameters = &parameters(),
          .vars = &vars(),
          .names = {{"results", "/campaign/out"}, {"cycle", "3"}}};
}

std::string error_of(const std::string& text) {
  try {
    expand(text, filled());
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Placeholders, KnownNamesAreFilledInAndOtherBracesStay) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"{p.model}", "gpt2"},
      {"-{p.tp}-{p.rate}-", "-2-1.50-"},
      {"{p.a.b} {p.n.x}", "whole [1,2]"},
      {"[{p.none}]", "[]"},
      {"{vars.data}/x{vars.n}", "/srv/x7"},
      {"{results}/c{cycle}", "/campaign/out/c3"},
      {"{run_id}", "{run_id}"},
      {"{} {x} {\"a\": {\"b\": 1}}", "{} {x} {\"a\": {\"b\": 1}}"},
      {"awk '{print $1}'", "awk '{print $1}'"},
      {"{{results}} {{p.model}} {{x}}", "{results} {p.model} {x}"},
      {"{{.Names}} {{ x }} }}", "{{.Names}} {{ x }} }}"},
      {"${results} ${p.model}", "${results} ${p.model}"},
      {"{p.trap}", "{results}"},
      {"x{p.tp?--tp}x", "x--tp 2x"},
      {"x{p.nothing?--tp}x", "xx"},
      {"{", "{"},
      {"{results", "{results"},
      {"{ {results} }", "{ /campaign/out }"},
      {"", ""}};
  for (const auto& [text, expected] : table) EXPECT_EQ(expand(text, filled()), expected) << text;
}

TEST(Placeholders, NearMissesOfParametersAndVariablesAreErrors) {
  EXPECT_EQ(error_of("{p.modl}"), "{p.modl}: no such parameter; did you mean `model`?");
  EXPECT_EQ(error_of("{p.frobnicate}"), "{p.frobnicate}: no such parameter");
  EXPECT_EQ(error_of("{vars.dat}"), "{vars.dat}: no such variable; did you mean `data`?");
  EXPECT_EQ(error_of("{p.}"), "{p.}: expected {p.KEY} or {p.KEY?--flag}");
  EXPECT_EQ(error_of("{p.a b}"), "{p.a b}: expected {p.KEY} or {p.KEY?--flag}");
  EXPECT_EQ(error_of("{p.tp?}"), "{p.tp?}: expected {p.KEY?--flag}");
  EXPECT_EQ(error_of("{p.tp"), "{p.tp: the closing brace is missing");
  EXPECT_EQ(error_of("{vars.data {x}"), "{vars.data {x}: the closing brace is missing");
}

TEST(Placeholders, NearMissesOfOtherNamesAreWarnings) {
  Expansion report;
  EXPECT_EQ(expand("{result} {Cycle} {var.data} {P.tp} {run} {print}", filled(), &report),
            "{result} {Cycle} {var.data} {P.tp} {run} {print}");
  EXPECT_EQ(report.warnings, (std::vector<std::string>{
                                 "{result} is left as it is; did you mean `{results}`?",
                                 "{Cycle} is left as it is; did you mean `{cycle}`?",
                                 "{var.data} is left as it is; did you mean `{vars.data}`?",
                                 "{P.tp} is left as it is; did you mean `{p.tp}`?",
                             }));
}

TEST(Placeholders, OptionalParameterGivesTwoWordsOrNone) {
  EXPECT_EQ(expand_argv({"run", "{p.tp?--tp}", "{p.none?--none}", "{p.nothing?--x}",
                         "{p.eager?--eager}", "{p.tp}"},
                        filled()),
            (std::vector<std::string>{"run", "--tp", "2", "--eager", "false", "2"}));
}

TEST(Placeholders, ScalarThatIsOnePlaceholderKeepsItsType) {
  const Value value = from_json(
      R"({"a":"{p.tp}","b":"x{p.tp}","c":["{p.rate}","{p.n}","{vars.n}"],"d":"{p.eager}","e":5,"f":"{cycle}","g":"{p.none}"})");
  EXPECT_EQ(to_json(expand_value(value, filled())),
            R"({"a":2,"b":"x2","c":[1.50,{"x":[1,2]},7],"d":false,"e":5,"f":"3","g":null})");
}

TEST(Placeholders, WhatIsNotGivenStaysAsWritten) {
  EXPECT_EQ(expand("{p.x} {p.y?--y} {vars.z} {gpus}", {}), "{p.x} {p.y?--y} {vars.z} {gpus}");
  EXPECT_EQ(expand_argv({"{p.y?--y}"}, {}), (std::vector<std::string>{"{p.y?--y}"}));
}

std::string fill(const std::string& text) {
  return interpolate(text, [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "one";
    if (name == "EMPTY") return "";
    if (name == "NESTED") return "${A}";
    return std::nullopt;
  });
}

TEST(Interpolation, FillsVariablesDefaultsAndDollars) {
  const std::vector<std::pair<std::string, std::string>> table = {{"${A}", "one"},
                                                                  {"x${A}y${A}", "xoneyone"},
                                                                  {"${EMPTY}", ""},
                                                                  {"${EMPTY:-d}", "d"},
                                                                  {"${B:-d e}", "d e"},
                                                                  {"${B:-}", ""},
                                                                  {"${B:-${A}!}", "one!"},
                                                                  {"${B:-${C:-deep}}", "deep"},
                                                                  {"${A:-${NOBODY}}", "one"},
                                                                  {"${A:?no}", "one"},
                                                                  {"$$", "$"},
                                                                  {"$${A}", "${A}"},
                                                                  {"$$$${A}", "$${A}"},
                                                                  {"$A $1 $", "$A $1 $"},
                                                                  {"${NESTED}", "${A}"},
                                                                  {"(a)$", "(a)$"}};
  for (const auto& [text, expected] : table) EXPECT_EQ(fill(text), expected) << text;
}

TEST(Interpolation, MissingAndMalformedVariablesAreNamed) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"${B}", "B is not set in the environment; set it, or write ${B:-default}"},
      {"${B:?say B}", "B is not set in the environment: say B"},
      {"${EMPTY:?}", "EMPTY is not set in the environment"},
      {"${", "${ without its closing brace; write $${ for a literal ${"},
      {"${A", "${ without its closing brace; write $${ for a literal ${"},
      {"${}", "${}: no variable name; write $${ for a literal ${"},
      {"${A-b}", "${A-b}: expected ${VAR}, ${VAR:-default} or ${VAR:?message}"}};
  for (const auto& [text, expected] : table) {
    try {
      fill(text);
      ADD_FAILURE() << text;
    } catch (const std::runtime_error& e) {
      EXPECT_EQ(e.what(), expected) << text;
    }
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "${B:-";
  EXPECT_THROW(fill(deep + std::string(1000, '}')), std::runtime_error);
}

TEST(Words, AreSplitAsAShellDoes) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> table = {
      {"", {}},
      {"  a  b\tc\n", {"a", "b", "c"}},
      {"a 'b c' \"d e\"", {"a", "b c", "d e"}},
      {"a'b'\"c\"d", {"abcd"}},
      {"'' \"\"", {"", ""}},
      {"a\\ b \\\\ \\'", {"a b", "\\", "'"}},
      {"\"a\\\"b\\$c\\d\"", {"a\"b$c\\d"}},
      {"'a\\b'", {"a\\b"}},
      {"a && b", {"a", "&&", "b"}},
      {"a\\\nb", {"ab"}}};
  for (const auto& [text, expected] : table) EXPECT_EQ(split_words(text), expected) << text;
  for (const char* text : {"'a", "\"a", "a\\", "\"a\\"})
    EXPECT_THROW(split_words(text), std::runtime_error) << text;
  EXPECT_EQ(shell_operator({"a", "&&", "b"}), "&&");
  EXPECT_EQ(shell_operator({"a", "b&&c"}), "");
}

}  // namespace
}  // namespace campaign
