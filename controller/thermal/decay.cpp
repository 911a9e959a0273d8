#include "controller/thermal/decay.hpp"

#include <cmath>

namespace controller::thermal {

namespace {

constexpr double memory = 120;           // seconds in which a reading's weight falls to 1/e
constexpr double fewest = 5;             // readings
constexpr double least_certainty = 5;    // the slope by its standard error
constexpr double least_squared = 1e-18;  // degrees Celsius squared: readings without any scatter

}  // namespace

std::optional<double> Cooling::seconds_until(double celsius) const {
  if (now <= celsius) return 0;
  if (celsius <= t_inf) return std::nullopt;
  return tau * std::log((now - t_inf) / (celsius - t_inf));
}

void Decay::add(double time, double celsius) {
  if (sums_.weight == 0) {
    first_time_ = time_ = time;
    first_celsius_ = celsius;
  }
  const double u = celsius - first_celsius_, passed = time - time_;
  s_ += (u_ + u) / 2 * passed;
  u_ = u;
  time_ = time;
  const double keep = std::exp(-passed / memory);
  sums_.weight = keep * sums_.weight + 1;
  const double part = 1 / sums_.weight;
  const double ds = s_ - sums_.s, dt = time - first_time_ - sums_.t, du = u - sums_.u;
  const auto product = [&](double& sum, double a, double b) {
    sum = keep * sum + (1 - part) * a * b;
  };
  product(sums_.ss, ds, ds);
  product(sums_.st, ds, dt);
  product(sums_.tt, dt, dt);
  product(sums_.su, ds, du);
  product(sums_.tu, dt, du);
  product(sums_.uu, du, du);
  sums_.s += part * ds;
  sums_.t += part * dt;
  sums_.u += part * du;
}

std::optional<Cooling> Decay::fit() const {
  const Sums& x = sums_;
  const double determinant = x.ss * x.tt - x.st * x.st;
  if (x.weight < fewest || determinant <= 0) return std::nullopt;
  const double by_s = (x.su * x.tt - x.tu * x.st) / determinant;
  const double by_t = (x.tu * x.ss - x.su * x.st) / determinant;
  if (!(by_s < 0)) return std::nullopt;
  const double left_over = std::fmax(x.uu - by_s * x.su - by_t * x.tu, least_squared);
  const double error = std::sqrt(left_over / (x.weight - 3) * x.tt / determinant);
  if (-by_s < least_certainty * error) return std::nullopt;
  const double now = x.u + by_s * (s_ - x.s) + by_t * (time_ - first_time_ - x.t);
  return Cooling{
      .now = first_celsius_ + now, .t_inf = first_celsius_ - by_t / by_s, .tau = -1 / by_s};
}

}  // namespace controller::thermal
