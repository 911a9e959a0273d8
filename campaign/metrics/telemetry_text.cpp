#include <cmath>

#include "campaign/metrics/telemetry.hpp"
#include "campaign/state/json_text.hpp"

namespace campaign {

namespace json = json_text;

namespace {

void append_source(std::string& out, const TelemetrySource& source) {
  out += R"({"name":)";
  json::append_string(out, source.name);
  out += R"(,"kind":)";
  json::append_string(out, source.kind);
  if (!source.unavailable.empty()) {
    out += R"(,"unavailable":)";
    json::append_string(out, source.unavailable);
  }
  if (!source.device.empty()) {
    out += R"(,"device":)";
    json::append_string(out, source.device);
  }
  if (!source.parent.empty()) {
    out += R"(,"parent":)";
    json::append_string(out, source.parent);
  }
  out += '}';
}

void append_column(std::string& out, const TelemetryColumn& column) {
  out += R"({"name":)";
  json::append_string(out, column.name);
  out += R"(,"unit":)";
  json::append_string(out, column.unit);
  out += column.counter ? R"(,"kind":"counter")" : R"(,"kind":"level")";
  if (column.from_zero) out += R"(,"from_zero":true)";
  if (column.wraps_at) {
    out += R"(,"wraps_at":)";
    json::append_number(out, *column.wraps_at);
  }
  if (column.interval_ms > 0) {
    out += R"(,"interval_ms":)";
    json::append_number(out, std::int64_t{column.interval_ms});
  }
  if (!column.unavailable.empty()) {
    out += R"(,"unavailable":)";
    json::append_string(out, column.unavailable);
  }
  out += '}';
}

template <class T>
void append_list(std::string& out, const std::vector<T>& items,
                 void (*append)(std::string&, const T&)) {
  out += '[';
  const char* separator = "";
  for (const T& item : items) {
    out += separator;
    append(out, item);
    separator = ",";
  }
  out += ']';
}

}  // namespace

void append_telemetry(std::string& out, const TelemetryHeader& header) {
  out += R"({"telemetry":1,"run":)";
  json::append_string(out, header.run);
  out += R"(,"interval_ms":)";
  json::append_number(out, std::int64_t{header.interval_ms});
  out += R"(,"clock":"CLOCK_MONOTONIC","boot":)";
  json::append_string(out, header.boot);
  out += R"(,"mono_ns":)";
  json::append_number(out, header.mono_ns);
  out += R"(,"utc":)";
  json::append_number(out, header.utc);
  out += R"(,"sources":)";
  append_list(out, header.sources, append_source);
  out += R"(,"columns":)";
  append_list(out, header.columns, append_column);
  out += "}\n";
}

void append_telemetry(std::string& out, const TelemetryRow& row) {
  out += '[';
  json::append_number(out, row.mono_ns);
  out += ',';
  if (row.late_ns)
    json::append_number(out, *row.late_ns);
  else
    out += "null";
  for (const double value : row.values) {
    out += ',';
    json::append_number(out, value);
  }
  out += "]\n";
}

void append_telemetry(std::string& out, const TelemetryEnd& end) {
  out += R"({"end":1,"lost_rows":)";
  json::append_number(out, static_cast<std::int64_t>(end.lost_rows));
  out += R"(,"failures":{)";
  const char* separator = "";
  for (const auto& [source, why] : end.failures) {
    out += separator;
    json::append_string(out, source);
    out += ':';
    json::append_string(out, why);
    separator = ",";
  }
  out += "}}\n";
}

}  // namespace campaign
