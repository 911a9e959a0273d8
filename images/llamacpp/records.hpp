// What this payload leaves for the controller: lines in the metrics file while it works, one result
// at the end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine.hpp"
#include "settings.hpp"

namespace payload {

// $CAMPAIGN_METRICS_FILE: JSON lines, one write each. Does nothing where the variable is unset.
struct RequestLine {
  double latency_s = 0, ttft_s = 0;
  int tokens_in = 0, tokens_out = 0;
};

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void phase(const std::string& name, const std::string& mark);  // mark: begin, end
  void request(const RequestLine& request);                      // that ended now
  void requests(const Generation& generation, const Settings& settings);
  void progress(int done, int total);

 private:
  void line(const std::string& json);

  int file_ = -1;
};

struct Warmup {
  std::vector<double> latencies_ms;
  bool converged = false;  // cv below the target before the prompts or the time ran out
  double final_cv = 0;     // population standard deviation / mean of the last 5
};

struct Measurement {
  std::string start_utc;
  std::string end_utc;
  std::int64_t begin_ns = 0;
  std::int64_t end_ns = 0;
  std::vector<Generation> batches;
};

// Coefficient of variation (population) of the last `window` values; 0 for none.
double variation(const std::vector<double>& values, std::size_t window);

// RFC 3339, UTC, milliseconds.
std::string utc_now();

// Writes $CAMPAIGN_RESULTS_DIR/process_0.json by a temporary file and a rename. Throws
// std::runtime_error with the reason.
void write_document(const std::string& text);
// The result of an inference in this process; returns its tokens per second.
double write_result(const Settings& settings, const Warmup& warmup, const Measurement& measurement);

}  // namespace payload
