#include "campaign/statistics/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace campaign {
namespace {

double continued_fraction(double a, double b, double x) {
  constexpr double tiny = 1e-300;
  double c = 1;
  double d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::fabs(d) < tiny ? tiny : d);
  double h = d;
  for (int m = 1; m <= 10000; ++m) {
    const auto step = [&](double term) {
      d = 1 + term * d;
      d = 1 / (std::fabs(d) < tiny ? tiny : d);
      c = 1 + term / c;
      c = std::fabs(c) < tiny ? tiny : c;
      h *= d * c;
      return d * c;
    };
    step(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    const double last = step(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    if (std::fabs(last - 1) < 1e-15) break;
  }
  return h;
}

double regularised_beta(double a, double b, double x, double rest) {
  if (x <= 0) return 0;
  if (rest <= 0) return 1;
  const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) +
                                a * std::log(x) + b * std::log(rest));
  if (x < (a + 1) / (a + b + 2)) return front * continued_fraction(a, b, x) / a;
  return 1 - front * continued_fraction(b, a, rest) / b;
}

double student_t_upper_tail(double t, double df) {
  const double square = t * t;
  return 0.5 * regularised_beta(df / 2, 0.5, df / (df + square), square / (df + square));
}

double normal_upper_tail(double z) { return 0.5 * std::erfc(z / std::sqrt(2.0)); }

template <class UpperTail>
double invert_upper_tail(double tail, UpperTail upper_tail) {
  double low = 0;
  double high = 1;
  while (upper_tail(high) > tail && high < 1e300) high *= 2;
  for (int i = 0; i < 2000; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (upper_tail(middle) > tail ? low : high) = middle;
  }
  return low + (high - low) / 2;
}

double student_t_upper_quantile(double tail, double df) {
  constexpr double practically_normal = 1e6;
  if (df <= practically_normal)
    return invert_upper_tail(tail, [df](double t) { return student_t_upper_tail(t, df); });
  const double z = invert_upper_tail(tail, normal_upper_tail);
  return std::isinf(df) ? z : z + (z * z * z + z) / (4 * df);
}

}  // namespace

std::optional<double> mean(const std::vector<double>& x) {
  if (x.empty()) return std::nullopt;
  long double sum = 0;
  for (const double value : x) sum += value;
  return static_cast<double>(sum / static_cast<long double>(x.size()));
}

std::optional<double> standard_deviation(const std::vector<double>& x) {
  if (x.size() < 2) return std::nullopt;
  const long double centre = *mean(x);
  long double squares = 0;
  for (const double value : x) squares += (value - centre) * (value - centre);
  return static_cast<double>(std::sqrt(squares / static_cast<long double>(x.size() - 1)));
}

std::optional<double> median(std::vector<double> x) { return percentile(std::move(x), 50); }

std::optional<double> percentile(std::vector<double> x, double p) {
  if (x.empty()) return std::nullopt;
  std::sort(x.begin(), x.end());
  const double position = std::clamp(p, 0.0, 100.0) / 100 * static_cast<double>(x.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  if (below + 1 >= x.size()) return x.back();
  const double share = position - static_cast<double>(below);
  return x[below] + (x[below + 1] - x[below]) * share;
}

double student_t_quantile(double p, double df) {
  if (!(p > 0 && p < 1) || !(df > 0)) return std::numeric_limits<double>::quiet_NaN();
  if (p == 0.5) return 0;
  return p > 0.5 ? student_t_upper_quantile(1 - p, df) : -student_t_upper_quantile(p, df);
}

std::optional<Interval> mean_interval(const std::vector<double>& x, double confidence) {
  if (x.size() < 3) return std::nullopt;
  const double centre = *mean(x);
  const double n = static_cast<double>(x.size());
  const double half =
      student_t_quantile(0.5 + confidence / 2, n - 1) * *standard_deviation(x) / std::sqrt(n);
  return Interval{centre - half, centre + half};
}

std::vector<bool> outliers(const std::vector<double>& x, double threshold) {
  std::vector<bool> flags(x.size(), false);
  const auto centre = median(x);
  if (!centre) return flags;
  std::vector<double> distances;
  distances.reserve(x.size());
  for (const double value : x) distances.push_back(std::fabs(value - *centre));
  const double mad = *median(distances);
  if (mad == 0) return flags;
  for (std::size_t i = 0; i < x.size(); ++i) flags[i] = 0.6745 * distances[i] / mad > threshold;
  return flags;
}

}  // namespace campaign
