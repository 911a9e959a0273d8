// Descriptive statistics and intervals. Pure. Each function names its source.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace campaign {

std::optional<double> mean(const std::vector<double>& x);                // none of nothing
std::optional<double> standard_deviation(const std::vector<double>& x);  // ddof 1, from n = 2
std::optional<double> median(std::vector<double> x);
// Linear interpolation at p/100 * (n-1) (numpy's default, Hyndman & Fan 1996 type 7).
std::optional<double> percentile(std::vector<double> x, double p);
// Quantile of Student's t with df degrees of freedom, two-sided 95 % = t(0.975). Error below 1e-6.
double student_t_quantile(double p, double df);
struct Interval {
  double low, high;
};
std::optional<Interval> mean_interval(const std::vector<double>& x,
                                      double confidence);  // from n = 3
// Modified Z = 0.6745 (x - median) / MAD (Iglewicz & Hoaglin 1993); with MAD 0 nothing is an
// outlier.
std::vector<bool> outliers(const std::vector<double>& x, double threshold);

}  // namespace campaign
