#include "compose/loader/yaml_reader.hpp"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_map>

#include "compose/loader/scalars.hpp"
#include "compose/loader/text_fault.hpp"

namespace compose {
namespace {

constexpr std::size_t deepest = 64;
constexpr std::size_t most_documents = 1000;
constexpr std::size_t largest_expansion = std::size_t{64} << 20;
constexpr std::string_view yaml_tag = "tag:yaml.org,2002:";
constexpr char too_deep[] = "nested deeper than 64 levels";
constexpr char as_key[] = "a list or map stands where a key is expected; is a bracket not closed?";

struct Refused {
  Diagnostic why;
};

std::size_t weight(const YamlNode& node) {
  std::size_t sum = sizeof(YamlNode) + node.text.size();
  for (const YamlNode& item : node.items) sum += weight(item);
  for (const Member& member : node.members)
    sum += sizeof(Member) + member.key.size() + weight(member.value);
  return sum;
}

std::size_t depth(const YamlNode& node) {
  std::size_t most = 0;
  for (const YamlNode& item : node.items) most = std::max(most, depth(item));
  for (const Member& member : node.members) most = std::max(most, depth(member.value));
  return most + (node.is_scalar() ? 0 : 1);
}

class Builder : public YAML::EventHandler {
 public:
  Builder(std::string_view file, Findings& findings) : file_(file), findings_(findings) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // yaml-cpp does not get past some characters: it begins a document there again and again.
    if (!documents_.empty() && (mark.pos == began_ || documents_.size() >= most_documents))
      refuse(place(mark), mark.pos == began_
                              ? "not valid YAML: no value begins so; put it in quotes"
                              : "more than 1000 documents in one file");
    began_ = mark.pos;
    documents_.emplace_back();
  }
  void OnDocumentEnd() override {
    frames_.clear();
    anchors_.clear();
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(tag, anchor, YamlNode::of_list(place(mark)));
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(tag, anchor, YamlNode::of_map(place(mark)));
  }
  void OnMapEnd() override { close(); }

  std::vector<YamlNode> take() { return std::move(documents_); }

 private:
  struct Merge {
    Place place;
    YamlNode value;
  };
  struct Frame {
    YamlNode value;
    YAML::anchor_t anchor = 0;
    std::optional<std::string> key;
    Place key_place;
    bool merge_key = false;
    std::unordered_map<std::string, int> lines;  // of the keys so far
    std::vector<Merge> merges;
  };

  Place place(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }
  std::string dotted() const;
  void complain(const Place& at, std::string message) {
    findings_.error(at, dotted(), std::move(message));
  }
  [[noreturn]] void refuse(const Place& at, std::string message) const {
    throw Refused{{at.origin(), dotted(), std::move(message)}};
  }
  bool expects_key() const {
    return !frames_.empty() && frames_.back().value.is_map() && !frames_.back().key;
  }
  void open(const std::string& tag, YAML::anchor_t anchor, YamlNode node);
  void close();
  void put(YAML::anchor_t anchor, YamlNode node);
  void attach(YamlNode node);
  void take_key(const Place& at, const std::string& text, const YamlNode& meaning);
  YamlNode::Mark mark_of(const std::string& tag, const Place& at);
  void apply_merges(Frame& frame);
  void merge_one(Frame& frame, const Place& at, const YamlNode& value);

  std::string_view file_;
  Findings& findings_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, YamlNode> anchors_;
  std::vector<YamlNode> documents_;
  std::size_t expanded_ = 0;
  int began_ = -1;  // where the last document did
};

std::string Builder::dotted() const {
  std::string path;
  for (const Frame& frame : frames_) {
    if (frame.value.is_list())
      path += "[" + std::to_string(frame.value.items.size()) + "]";
    else if (frame.key)
      path += (path.empty() ? "" : ".") + *frame.key;
  }
  return path;
}

// An empty value stands where its key does.
void Builder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  if (expects_key()) return take_key(place(mark), "", {});
  const bool keyed = !frames_.empty() && frames_.back().key && !frames_.back().merge_key;
  YamlNode node;
  node.place = keyed ? frames_.back().key_place : place(mark);
  put(anchor, std::move(node));
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
  const Place at = place(mark);
  const auto known = anchors_.find(anchor);
  if (known == anchors_.end()) refuse(at, "this alias refers to a value that contains it");
  expanded_ += weight(known->second);
  if (expanded_ > largest_expansion) refuse(at, "aliases expand to more than 64 MiB");
  if (frames_.size() + depth(known->second) > deepest) refuse(at, too_deep);
  if (expects_key()) return take_key(at, known->second.text, known->second);
  put(0, known->second);
}

YamlNode::Mark Builder::mark_of(const std::string& tag, const Place& at) {
  if (tag == "!reset") return YamlNode::Mark::reset;
  if (tag == "!override") return YamlNode::Mark::replace;
  if (!tag.empty() && tag != "?" && tag != "!" && !tag.starts_with(yaml_tag))
    complain(at, "unknown tag `" + tag + "`; there are !reset and !override");
  return YamlNode::Mark::none;
}

void Builder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       const std::string& text) {
  const Place at = place(mark);
  const bool quoted = tag == "!" || tag == std::string(yaml_tag) + "str";
  YamlNode node = quoted ? YamlNode::of_text(text, at) : resolved(text, at);
  node.mark = mark_of(tag, at);
  if (!expects_key()) return put(anchor, std::move(node));
  if (tag == "?" && text == "<<") {
    frames_.back().merge_key = true;
    frames_.back().key = text;
    frames_.back().key_place = at;
    return;
  }
  if (anchor != 0) anchors_.emplace(anchor, node);
  take_key(at, text, node);
}

void Builder::open(const std::string& tag, YAML::anchor_t anchor, YamlNode node) {
  if (expects_key()) refuse(node.place, as_key);
  if (frames_.size() >= deepest) refuse(node.place, too_deep);
  node.mark = mark_of(tag, node.place);
  Frame frame;
  frame.value = std::move(node);
  frame.anchor = anchor;
  frames_.push_back(std::move(frame));
}

void Builder::close() {
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  apply_merges(frame);
  if (frame.anchor != 0) anchors_.emplace(frame.anchor, frame.value);
  attach(std::move(frame.value));
}

void Builder::put(YAML::anchor_t anchor, YamlNode node) {
  if (anchor != 0) anchors_.emplace(anchor, node);
  attach(std::move(node));
}

void Builder::attach(YamlNode node) {
  if (frames_.empty()) {
    documents_.back() = std::move(node);
    return;
  }
  Frame& frame = frames_.back();
  if (frame.value.is_list()) {
    frame.value.items.push_back(std::move(node));
    return;
  }
  if (frame.merge_key)
    frame.merges.push_back({frame.key_place, std::move(node)});
  else if (frame.lines.emplace(*frame.key, frame.key_place.line).second)
    frame.value.members.push_back({*frame.key, frame.key_place, std::move(node)});
  frame.merge_key = false;
  frame.key.reset();
}

void Builder::take_key(const Place& at, const std::string& text, const YamlNode& meaning) {
  if (!meaning.is_scalar()) refuse(at, as_key);
  if (const std::string fault = key_fault(text); !fault.empty()) refuse(at, fault);
  if (!meaning.is_text()) complain(at, "the key `" + text + "` is no text; write it in quotes");
  Frame& frame = frames_.back();
  frame.key = text;
  frame.key_place = at;
  if (const auto earlier = frame.lines.find(text); earlier != frame.lines.end())
    complain(at, "duplicate key; it stands already in line " + std::to_string(earlier->second));
}

void Builder::merge_one(Frame& frame, const Place& at, const YamlNode& value) {
  if (!value.is_map()) {
    complain(at, "`<<` takes a map or a list of maps, mostly an alias such as *base");
    return;
  }
  for (const Member& member : value.members)
    if (frame.lines.emplace(member.key, at.line).second) frame.value.members.push_back(member);
}

void Builder::apply_merges(Frame& frame) {
  for (const Merge& merge : frame.merges) {
    if (!merge.value.is_list()) {
      merge_one(frame, merge.place, merge.value);
      continue;
    }
    for (const YamlNode& item : merge.value.items) merge_one(frame, merge.place, item);
  }
}

// What is mostly wrong where yaml-cpp gives up.
std::string hint(std::string_view text, const YAML::Exception& e) {
  std::size_t begin = 0;
  for (int line = 0; line < e.mark.line && begin != text.npos; ++line) {
    begin = text.find('\n', begin);
    if (begin != text.npos) ++begin;
  }
  const auto line =
      begin == text.npos ? std::string_view{} : text.substr(begin, text.find('\n', begin) - begin);
  if (line.substr(0, line.find_first_not_of(" \t")).find('\t') != line.npos)
    return "; indent with blanks, not tabs";
  return e.msg.find("flow") == e.msg.npos ? "" : "; put texts that hold { } [ ] in quotes";
}

}  // namespace

std::vector<YamlNode> read_yaml(const Source& source, Findings& findings) {
  if (auto fault = text_fault(source)) {
    findings.error({source.name, fault->line, fault->column}, "", fault->message);
    return {};
  }
  Builder builder(source.name, findings);
  const bool marked = source.text.starts_with("\xEF\xBB\xBF");
  std::istringstream stream(marked ? source.text.substr(3) : source.text);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    const Origin& at = refused.why.origin;
    findings.error({source.name, at.line, at.column}, refused.why.key, refused.why.message);
  } catch (const YAML::Exception& e) {
    findings.error({source.name, e.mark.line + 1, e.mark.column + 1}, "",
                   "not valid YAML: " + e.msg + hint(source.text, e));
  }
  return builder.take();
}

}  // namespace compose
