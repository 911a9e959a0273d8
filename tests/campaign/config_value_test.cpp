#include "campaign/config/value.hpp"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <cmath>
#include <cstdio>

#include "campaign/config/yaml_reader.hpp"
#include "tests/campaign/config_folder.hpp"

namespace campaign {
namespace {

using Kind = Value::Kind;

TEST(Value, PlainScalarsFollowTheCoreSchema) {
  const std::vector<std::tuple<std::string, Kind, std::string>> table = {
      {"1", Kind::integer, "1"},
      {"-7", Kind::integer, "-7"},
      {"+7", Kind::integer, "7"},
      {"0x1F", Kind::integer, "31"},
      {"0o17", Kind::integer, "15"},
      {"0755", Kind::integer, "755"},
      {"1.0", Kind::real, "1.0"},
      {"1.50", Kind::real, "1.50"},
      {"1e3", Kind::real, "1e3"},
      {".5", Kind::real, "0.5"},
      {"5.", Kind::real, "5.0"},
      {"-0.0", Kind::real, "-0.0"},
      {"1E+3", Kind::real, "1E+3"},
      {"true", Kind::boolean, "true"},
      {"FALSE", Kind::boolean, "false"},
      {"~", Kind::null, ""},
      {"null", Kind::null, ""},
      {"", Kind::null, ""},
      {"yes", Kind::string, "yes"},
      {"off", Kind::string, "off"},
      {"1_000", Kind::string, "1_000"},
      {"0b11", Kind::string, "0b11"},
      {"1.2.3", Kind::string, "1.2.3"},
      {"-", Kind::string, "-"},
      {".", Kind::string, "."},
      {"e3", Kind::string, "e3"},
      {"1e", Kind::string, "1e"},
      {"0x", Kind::string, "0x"},
      {"0x-1", Kind::string, "0x-1"},
      {"12:30", Kind::string, "12:30"},
      {"nULL", Kind::string, "nULL"},
      {"9223372036854775807", Kind::integer, "9223372036854775807"},
      {"9223372036854775808", Kind::string, "9223372036854775808"}};
  for (const auto& [text, kind, written] : table) {
    const Value value = Value::plain_scalar(text);
    EXPECT_EQ(value.kind(), kind) << text;
    EXPECT_EQ(value.written(), written) << text;
  }
  EXPECT_EQ(Value::plain_scalar("1e-400").as_real(), 0.0);
  EXPECT_TRUE(std::isinf(Value::plain_scalar("1e400").as_real()));
}

Value nasty() {
  Value::List items;
  for (const char* text : {"1.0",
                           "true",
                           "0755",
                           "null",
                           "",
                           "~",
                           "1e3",
                           "yes",
                           "no",
                           "on",
                           "y",
                           "0x1f",
                           "0o7",
                           "é",
                           "日本",
                           "😀",
                           " lead",
                           "trail ",
                           "a: b",
                           "# no comment",
                           "- x",
                           "{a}",
                           "[a]",
                           "&a",
                           "*a",
                           "!t",
                           "%d",
                           "@x",
                           "`x`",
                           "'q'",
                           "\"q\"",
                           "back\\slash",
                           "line\nline",
                           "\ttab",
                           "cr\rcr",
                           "\x01\x1f\x7f",
                           "\xc2\x85",
                           "\xe2\x80\xa8",
                           "\xef\xbb\xbf",
                           "<<",
                           "=",
                           "1:30",
                           "2024-01-01",
                           "12345678901234567890",
                           "$x ${y} $$",
                           ".inf",
                           ".nan",
                           "---",
                           "..."}) {
    items.push_back(Value::string(text));
  }
  for (const double number : {1.0, -0.0, 0.1, 1e300, 1e-300, 5e-324, 1e16, 123456789.125, -2.5e-7,
                              1.7976931348623157e308}) {
    items.push_back(Value::real(number));
  }
  for (const std::int64_t number : {std::int64_t{0}, std::int64_t{-1}, INT64_MAX, INT64_MIN}) {
    items.push_back(Value::integer(number));
  }
  items.push_back(Value::boolean(true));
  items.push_back(Value::boolean(false));
  items.push_back(Value::null());
  items.push_back(Value::list({}));
  items.push_back(Value::map({}));
  items.push_back(Value::list(
      {Value::list({Value::integer(1)}), Value::map({{"a", Value::list({Value::null()})}})}));
  return Value::map({{"items", Value::list(items)},
                     {"yes", Value::integer(1)},
                     {"1", Value::integer(2)},
                     {"a.b", Value::map({{"<<", Value::string("x")}, {"", Value::null()}})},
                     {"é\n", Value::real(2)}});
}

TEST(Value, YamlIsReadBackToTheSameKindsAndValues) {
  Value expected = nasty();
  expected.find("a.b")->members().pop_back();
  const YamlDocument again = read_yaml({.text = to_yaml(expected), .name = "x"});
  ASSERT_TRUE(again.diagnostics.empty()) << again.diagnostics[0].text();
  EXPECT_EQ(again.value, expected);
}

// The same by yaml-cpp's own conversion: a quoted scalar has the tag "!", a plain one "?".
Value from_node(const YAML::Node& node) {
  if (node.IsNull()) return Value::null();
  if (node.IsScalar() && node.Tag() == "!") return Value::string(node.Scalar());
  if (node.IsScalar()) {
    std::int64_t whole = 0;
    bool truth = false;
    if (YAML::convert<bool>::decode(node, truth)) return Value::boolean(truth);
    if (YAML::convert<std::int64_t>::decode(node, whole) &&
        node.Scalar().find('.') == std::string::npos) {
      return Value::integer(whole);
    }
    return Value::real(node.as<double>());
  }
  if (node.IsSequence()) {
    Value::List items;
    for (const auto& item : node) items.push_back(from_node(item));
    return Value::list(items);
  }
  Value::Map members;
  for (const auto& member : node)
    members.emplace_back(member.first.Scalar(), from_node(member.second));
  return Value::map(members);
}

TEST(Value, YamlIsReadBackByYamlCppToTheSameKindsAndValues) {
  EXPECT_EQ(from_node(YAML::Load(to_yaml(nasty()))), nasty());
}

TEST(Value, YamlIsReadBackByPyYamlToTheSameKindsAndValues) {
  if (std::system("python3 -c 'import yaml' 2>/dev/null") != 0)
    GTEST_SKIP() << "python3 has no yaml module";
  const Folder folder;
  const std::string path = folder.write("x.yaml", to_yaml(nasty()));
  const std::string command =
      "python3 -c 'import yaml,json,sys; "
      "print(json.dumps(yaml.safe_load(open(sys.argv[1],\"rb\"))))' " +
      path;
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  ASSERT_EQ(pclose(pipe), 0);
  EXPECT_EQ(from_json(text), nasty());
}

TEST(Value, JsonIsReadBackToTheSameKindsValuesAndSpelling) {
  EXPECT_EQ(from_json(to_json(nasty())), nasty());
  for (const char* text :
       {"1.50", "1e3", "1E+3", "-0.0", "0x1F", "+1", ".5", "True", "007", "1.", "-0"}) {
    const Value value = Value::plain_scalar(text);
    const Value again = from_json(to_json(value));
    EXPECT_EQ(again, value) << text;
    EXPECT_EQ(again.kind(), value.kind()) << text;
    EXPECT_EQ(again.written(), value.written()) << text;
  }
}

TEST(Value, CanonicalJsonIsSortedAndKeepsIntegersFromReals) {
  const Value value =
      Value::map({{"b", Value::plain_scalar("1.50")},
                  {"a", Value::list({Value::plain_scalar("1"), Value::plain_scalar("1.0")})},
                  {"B", Value::plain_scalar("1e3")}});
  EXPECT_EQ(canonical_json(value), R"({"B":1000.0,"a":[1,1.0],"b":1.5})");
  EXPECT_EQ(to_json(value), R"({"b":1.50,"a":[1,1.0],"B":1e3})");
}

TEST(Value, InvalidUtf8IsReplacedInText) {
  EXPECT_EQ(to_json(Value::string("a\xff"
                                  "b\xc3")),
            "\"a\xef\xbf\xbd"
            "b\xef\xbf\xbd\"");
  EXPECT_EQ(to_json(Value::string("\xed\xa0\x80")), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(Value, JsonThatIsNoneIsRefusedWithItsPlace) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\":}", "nul", "1 2", "\"\xff\"", "1e999", "{\"a\" 1}"}) {
    EXPECT_THROW(from_json(text), std::runtime_error) << text;
  }
  EXPECT_THROW(from_json(std::string(100000, '[')), std::runtime_error);
  try {
    from_json("[1, x]");
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_TRUE(std::string(e.what()).starts_with("JSON, byte 5: ")) << e.what();
  }
}

TEST(Value, PathsPreferWholeKeysThatHoldDots) {
  Value value =
      Value::map({{"a.b", Value::integer(1)}, {"a", Value::map({{"c", Value::integer(2)}})}});
  EXPECT_EQ(value.at_path("a.b")->as_integer(), 1);
  EXPECT_EQ(value.at_path("a.c")->as_integer(), 2);
  EXPECT_EQ(value.at_path("a.d"), nullptr);
  EXPECT_EQ(value.at_path("a.c.e"), nullptr);
  value.set_path("a.b", Value::integer(3));
  value.set_path("a.c", Value::integer(4));
  value.set_path("x.y.z", Value::integer(5));
  EXPECT_EQ(to_json(value), R"({"a.b":3,"a":{"c":4},"x":{"y":{"z":5}}})");
  value.set_path("a.c.d", Value::integer(6));
  EXPECT_EQ(value.at_path("a.c.d")->as_integer(), 6);
}

TEST(Value, MergeGoesIntoMapsAndReplacesLists) {
  const Value base = from_json(R"({"a":{"x":1,"y":[1,2]},"b":1})");
  const Value over = from_json(R"({"a":{"y":[3],"z":null},"b":{"c":1}})");
  EXPECT_EQ(to_json(merged(base, over)), R"({"a":{"x":1,"y":[3],"z":null},"b":{"c":1}})");
}

TEST(Value, EqualityIgnoresOrderSpellingAndOrigin) {
  EXPECT_EQ(from_json(R"({"a":1,"b":1.50})"), from_json(R"({"b":1.5,"a":1})"));
  EXPECT_FALSE(Value::integer(1) == Value::real(1));
  EXPECT_FALSE(Value::real(0.0) == Value::real(-0.0));
  EXPECT_FALSE(from_json(R"({"a":1})") == from_json(R"({"b":1})"));
}

TEST(YamlReader, MergeKeysGiveWayToExplicitOnesAndKeepTheirOrder) {
  const YamlDocument document =
      read_yaml({.text = "base: &b {x: 1, y: 2}\nmore: &m {y: 3, z: 4}\n"
                         "one: {<<: *b, x: 9}\ntwo: {<<: [*m, *b], w: 0}\nthree: {\"<<\": 1}\n",
                 .name = "x"});
  ASSERT_TRUE(document.diagnostics.empty());
  EXPECT_EQ(to_json(*document.value.find("one")), R"({"x":9,"y":2})");
  EXPECT_EQ(to_json(*document.value.find("two")), R"({"w":0,"y":3,"z":4,"x":1})");
  EXPECT_EQ(to_json(*document.value.find("three")), R"({"<<":1})");
}

TEST(YamlReader, OriginsCountFromOne) {
  const YamlDocument document =
      read_yaml({.text = "a: 1\nb:\n  - x\n  - {c: 2}\n", .name = "f.yaml"});
  EXPECT_EQ(document.value.find("a")->origin().text(), "f.yaml:1:4");
  EXPECT_EQ(document.value.key_origin("b").text(), "f.yaml:2:1");
  EXPECT_EQ(document.value.find("b")->items()[1].find("c")->origin().text(), "f.yaml:4:9");
}

TEST(YamlReader, TagsOfTheCoreSchemaAreHonoured) {
  const YamlDocument document =
      read_yaml({.text = "[!!str 1, !!int \"7\", ! 3, 'q', \"2\"]", .name = "x"});
  ASSERT_TRUE(document.diagnostics.empty());
  EXPECT_EQ(to_json(document.value), R"(["1",7,"3","q","2"])");
}

}  // namespace
}  // namespace campaign
