package dev.kvasir.lab.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.kvasir.lab.report.ScatterChart.Point;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ChartsTest {
    @Test
    void everyAxisHasRoundTicksInsideIt() {
        SplittableRandom random = new SplittableRandom(3);
        for (int trial = 0; trial < 500; trial++) {
            double base = Math.pow(10, random.nextInt(20) - 10);
            double[] values = random.doubles(1 + random.nextInt(6))
                    .map(value -> base * Math.pow(10, 4 * value))
                    .toArray();
            for (Axis axis : List.of(
                    Axis.linear(values, 0, Double.POSITIVE_INFINITY, 0, 100), Axis.logarithmic(values, 0, 100))) {
                List<Axis.Tick> ticks = axis.ticks(String::valueOf);
                assertThat(ticks).hasSizeBetween(2, 12);
                assertThat(ticks)
                        .allSatisfy(tick -> assertThat(axis.at(tick.value())).isBetween(-0.01, 100.01));
                assertThat(Arrays.stream(values))
                        .allSatisfy(value -> assertThat(axis.at(value)).isBetween(-0.01, 100.01));
            }
        }
    }

    @Test
    void zeroHasAPlaceOfItsOwnOnALogarithmicAxis() {
        Axis axis = Axis.logarithmic(new double[] {0, 1e-8, 1}, 300, 0);
        assertThat(axis.hasZero()).isTrue();
        assertThat(axis.at(0)).isBetween(axis.at(1e-8) + 10, 300.0);
        assertThat(Axis.logarithmic(new double[] {1e-8, 1}, 300, 0).hasZero()).isFalse();
    }

    @Test
    void equalRatiosHaveEqualLengths() {
        Axis axis = Axis.logarithmic(new double[] {1, 1000}, 0, 100);
        assertThat(axis.at(10) - axis.at(1)).isCloseTo(axis.at(1000) - axis.at(100), within(1e-9));
    }

    @Test
    void noBadgeCoversAnother() {
        SplittableRandom random = new SplittableRandom(5);
        for (int trial = 0; trial < 100; trial++) {
            Labels labels = new Labels();
            List<Labels.Place> places = new ArrayList<>();
            for (int i = 0; i < 12; i++) {
                places.add(labels.badge(200 + 30 * random.nextDouble(), 100 + 30 * random.nextDouble()));
            }
            for (int i = 0; i < places.size(); i++) {
                for (int j = 0; j < i; j++) {
                    double dx = Math.abs(places.get(i).x() - places.get(j).x());
                    double dy = Math.abs(places.get(i).y() - places.get(j).y());
                    assertThat(Math.max(dx, dy)).isGreaterThan(2 * Plot.BADGE);
                }
            }
        }
    }

    @Test
    void placesArePushedApartInsideTheirLimits() {
        double[] places = {10, 11, 12, 95, 99};
        LineChart.spread(places, 10, 0, 100);
        assertThat(places).containsExactly(10, 20, 30, 90, 100);
    }

    @Test
    void frontierHoldsThePointsThatNoOtherBeatsInBoth() {
        List<Point> points = List.of(
                point(0, 32, 0), point(1, 4.5, 0.02), point(2, 4.5, 0.01), point(3, 5, 0.015), point(4, 3, 0.5));
        assertThat(ScatterChart.undominated(points, true).stream().map(Point::series))
                .containsExactly(4, 2, 0);
        assertThat(ScatterChart.undominated(points, false).stream().map(Point::series))
                .containsExactly(4);
    }

    @Test
    void numbersReadAsPeopleWriteThem() {
        assertThat(Numbers.significant(5.2134, 4)).isEqualTo("5.213");
        assertThat(Numbers.significant(12345.6, 3)).isEqualTo("12,346");
        assertThat(Numbers.significant(2.1e-8, 3)).isEqualTo("2.1×10⁻⁸");
        assertThat(Numbers.significant(0.00123, 3)).isEqualTo("0.00123");
        assertThat(Numbers.significant(0, 3)).isEqualTo("0");
        assertThat(Numbers.bytes(999L)).isEqualTo("999 B");
        assertThat(Numbers.bytes(614_400L)).isEqualTo("614 KB");
        assertThat(Numbers.bytes(999_999L)).isEqualTo("1.00 MB");
        assertThat(Numbers.percent(0.9915)).isEqualTo("99.2 %");
        assertThat(Numbers.ratio(1.207)).isEqualTo("1.21×");
    }

    private static Point point(int series, double x, double y) {
        return new Point(series, "p" + series, x, y, y, y);
    }
}
