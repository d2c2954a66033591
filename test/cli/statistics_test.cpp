#include "cli/statistics.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace chunker::cli {
namespace {

TEST(Statistics, R19_4_PeakAverageAndStandardDeviation) {
  const Statistics figures = statistics_of(std::vector<double>{2, 4, 4, 4, 5, 5, 7, 9});
  EXPECT_DOUBLE_EQ(figures.peak, 9);
  EXPECT_DOUBLE_EQ(figures.average, 5);
  EXPECT_NEAR(figures.deviation, 2.138089935, 1e-9);  // 32 / 7, of which the root
}

TEST(Statistics, R19_4_OneMeasurementDoesNotDeviate) {
  const Statistics figures = statistics_of(std::vector<double>{3.5});
  EXPECT_EQ(figures.peak, 3.5);
  EXPECT_EQ(figures.average, 3.5);
  EXPECT_EQ(figures.deviation, 0);
}

TEST(Statistics, OfNothingAreZero) {
  EXPECT_EQ(statistics_of({}).peak, 0);
  EXPECT_EQ(statistics_of({}).average, 0);
  EXPECT_EQ(quantile({}, 0.99), 0);
}

TEST(Statistics, AQuantileIsAMeasurementThatSoManyDoNotExceed) {
  std::vector<double> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  EXPECT_EQ(quantile(values, 0), 1);
  EXPECT_EQ(quantile(values, 0.5), 50);
  EXPECT_EQ(quantile(values, 0.99), 99);
  EXPECT_EQ(quantile(values, 0.991), 100);
  EXPECT_EQ(quantile(values, 1), 100);
  EXPECT_EQ(quantile({7}, 0.99), 7);
}

}  // namespace
}  // namespace chunker::cli
