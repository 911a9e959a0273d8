// An online fit of first-order cooling, dT/dt = (T_inf - T) / tau, to readings of one temperature.
// Integrated it is linear in its unknowns: with u = T - T(first) and S = the integral of u,
//
//   u(t) = u(0) - S(t) / tau + (T_inf - T(first)) / tau * t
//
// (J. Jacquelin, "Regressions et equations integrales", 2009), so least squares over S and t give
// tau and T_inf without a derivative of noisy data. Readings lose weight with age, since a chip on
// a heat sink cools quickly at first and slowly later. Constant memory and time per reading.
#pragma once

#include <optional>

namespace controller::thermal {

struct Cooling {
  double now = 0;    // degrees Celsius at the last reading, smoothed by the fit
  double t_inf = 0;  // where it would come to rest, degrees Celsius
  double tau = 0;    // seconds
  // From the last reading on; 0 = it is there, nullopt = it will not come to be so cool.
  std::optional<double> seconds_until(double celsius) const;
};

class Decay {
 public:
  // Times in seconds on any clock, ascending.
  void add(double time, double celsius);
  // nullopt: too few readings, or none from which a decay can be told from chance.
  std::optional<Cooling> fit() const;

 private:
  // Weighted means and sums of products of deviations of S, t and u.
  struct Sums {
    double weight = 0, s = 0, t = 0, u = 0;
    double ss = 0, st = 0, tt = 0, su = 0, tu = 0, uu = 0;
  } sums_;
  double first_time_ = 0, first_celsius_ = 0;
  double time_ = 0, u_ = 0, s_ = 0;  // of the last reading
};

}  // namespace controller::thermal
